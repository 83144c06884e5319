"""A search inside one compiled call gives what the same search in NumPy gives."""

import importlib
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import search
from attention_zoo.blocks import TokenEmbedding
from attention_zoo.blocks.decode import Generator, decode
from attention_zoo.blocks.decode.caches import stages
from attention_zoo.blocks.recurrent_decoder import RecurrentDecoder
from attention_zoo.blocks.transformer_decoder import TransformerDecoder
from attention_zoo.errors import ZooError
from attention_zoo.search import Decoding
from attention_zoo.search.largest import largest

# The speaker and its oracles lie beside the tests of the search.
sys.path.insert(0, str(Path(__file__).parents[1] / "search"))
speaking = importlib.import_module("speaking")

BACKEND = keras.backend.backend()
SOURCES = [[5, 9, 17, 3], [8, 3], [30, 21, 7, 6, 11, 2, 3], [3], []]
SETTINGS = {
    "greedy": {"beam": 1},
    "beam": {"beam": 4, "nbest": 4},
    "to the end": {"beam": 3, "nbest": 2, "early_stopping": False, "length_penalty": 0.6},
    "coverage": {"beam": 3, "nbest": 3, "coverage_penalty": 0.4},
    "greedy with coverage": {"beam": 1, "coverage_penalty": 0.4},
    "sampling": {"beam": 1, "sample": True, "seed": 3},
    "nucleus": {"beam": 1, "sample": True, "top_p": 0.8, "temperature": 1.5},
    "few": {"beam": 1, "sample": True, "top_k": 3},
    "one token": {"beam": 3, "nbest": 3, "max_length": 1},
}


@keras.saving.register_keras_serializable(package="tests")
class SpeakingLayer(keras.layers.Layer):
    """The speaker of the tests as a layer whose numbers are weights."""

    growing = ("past",)

    def __init__(self, seed=0, ending=0.3, eos=0.0, weighs=True, **kwargs):
        super().__init__(**kwargs)
        self.options = {"seed": seed, "ending": ending, "eos": eos}
        self.weighs, self.calls = weighs, 0

    def get_config(self):
        return {**super().get_config(), **self.options, "weighs": self.weighs}

    def build(self, input_shape=None):
        self.speaker = speaking.Speaker(**self.options)
        for name, value in self.speaker.weights.items():
            self.speaker.weights[name] = self.add_weight(shape=value.shape, name=name)
            self.speaker.weights[name].assign(value)

    def prepare(self, memory, memory_mask=None):
        return self.speaker.prepare(ops, memory, memory_mask)

    def start(self, prepared, rows, length):
        return self.speaker.start(ops, rows, length)

    def step(self, token_ids, state, prepared, index, need_weights=False):
        self.calls += 1
        logits, state, weights = self.speaker.step(ops, token_ids, state, prepared, index)
        return logits, state, weights if need_weights and self.weighs else None


def generator(options=None, table=None, **settings):
    """Make a generator of the speaker."""
    decoder = SpeakingLayer(**(options or {}))
    decoder.build()
    source = keras.Input((None,), dtype="int32", name="source_ids")
    table = table or keras.layers.Embedding(40, speaking.WIDTH, name="table")
    encoder = keras.Model({"source_ids": source}, table(source))
    table.set_weights([speaking.Speaker(**decoder.options).weights["source"]])
    return Generator(encoder, decoder, Decoding(**{"max_length": 12, **settings}))


def padded(sources=SOURCES):
    """Return rows of ids as one array."""
    ids = np.zeros((len(sources), 8), "int32")
    for row, source in zip(ids, sources):
        row[: len(source)] = source
    return ids


def inputs_of(settings, sources=SOURCES):
    """Return what a generator reads."""
    inputs = {"source_ids": padded(sources)}
    return {**inputs, "noise": search.noise(settings, range(len(sources)))} if settings.sample else inputs


def same(found, wanted, tolerance=1e-5):
    """Fail unless two results say the same tokens with the same scores."""
    assert sorted(found) == ["lengths", "scores", "sums", "token_ids"] == sorted(wanted)
    for name in ("token_ids", "lengths"):
        assert np.asarray(found[name]).dtype == np.int32
        np.testing.assert_array_equal(found[name], wanted[name])
    for name in ("scores", "sums"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_compiled_search_says_what_numpy_says(name):
    model = generator({"seed": 5}, **SETTINGS[name])
    settings = model.decoding
    inputs = inputs_of(settings)
    found = model.predict_on_batch(inputs)
    same(found, speaking.spoken(speaking.Speaker(5), SOURCES, settings, noise=inputs.get("noise")))
    if not settings.sample and settings.beam > 1:
        for row, source in enumerate(SOURCES):
            wanted = speaking.beams(speaking.Speaker(5), source, settings)
            speaking.agree(speaking.hypotheses(found, row)[: len(wanted)], wanted)


class Searching(keras.Model):
    """What the search does with the logits of a large vocabulary."""

    def build(self, input_shape=None):
        self.built = True

    def call(self, inputs):
        values, places = largest(ops, inputs["logits"], 6)
        chances, tokens = search.choose(ops, Decoding(beam=3), inputs["logits"])
        return {"values": values, "places": places, "chances": chances, "tokens": tokens}


@pytest.mark.parametrize("width", [1500, 1543])
def test_large_vocabularies_are_searched_by_blocks_alike(width):
    logits = np.random.default_rng(0).normal(size=(4, width)).astype("float32") * 3
    model = Searching()
    model.build()
    found = model.predict_on_batch({"logits": logits})
    np.testing.assert_array_equal(found["values"], -np.sort(-logits, axis=1)[:, :6])
    np.testing.assert_array_equal(found["places"], np.argsort(-logits, axis=1)[:, :6])
    chances, tokens = search.choose(search.NumpyArrays, Decoding(beam=3), logits)
    np.testing.assert_array_equal(found["tokens"], tokens)
    np.testing.assert_allclose(found["chances"], chances, atol=1e-5)


@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 2, "nbest": 2}])
def test_caches_that_grow_forget_nothing(options):
    assert stages(37) == [32, 40] and stages(32) == [32] and stages(128) == [32, 128] and stages(3) == [8]
    assert stages(300) == [32, 128, 304]
    speaker = {"seed": 1, "ending": 0.02, "eos": -3.0}
    model = generator(speaker, max_length=37, **options)
    found = model.predict_on_batch(inputs_of(model.decoding))
    assert found["lengths"].max() > 33
    same(found, speaking.spoken(speaking.Speaker(**speaker), SOURCES, model.decoding))


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled there")
def test_equal_shapes_are_compiled_once():
    model = generator(beam=2)
    model.predict_on_batch({"source_ids": padded()})
    traced = model.decoder.calls
    for _ in range(3):
        model.predict_on_batch({"source_ids": padded(SOURCES[::-1])})
    assert model.decoder.calls == traced


@pytest.mark.skipif(BACKEND == "jax", reason="its loops are traced, so that steps cannot be counted")
@pytest.mark.parametrize("beam", [1, 3])
def test_the_loop_ends_with_the_longest_sentence(beam):
    model = generator({"seed": 2, "ending": 1.0}, beam=beam, max_length=500)
    inputs = {"source_ids": ops.convert_to_tensor(padded())}
    longest = ops.convert_to_numpy(model(inputs)["lengths"]).max()
    model.run_eagerly = True
    model.decoder.calls = 0
    model.predict_on_batch(inputs)
    assert longest + 1 <= model.decoder.calls <= longest + (1 if beam == 1 else 10)


@pytest.mark.parametrize("options", [{"beam": 3, "nbest": 2}, {"beam": 1, "sample": True}])
def test_sources_in_batches_say_what_they_say_alone(options):
    model, random = generator({"seed": 6}, **options), np.random.default_rng(0)
    sources = [[*random.integers(4, 40, length).tolist(), 3] for length in (7, 0, 3, 20, 1, 12, 8)] + [[]]
    found = decode(model, sources, batch_size=3)
    for number, source in enumerate(sources):
        alone = decode(model, [source], numbers=[number])
        same({name: value[number] for name, value in found.items()}, {name: value[0] for name, value in alone.items()})


def test_batches_have_few_shapes():
    model, shapes = generator(beam=1, max_length=3), []
    answer = model.predict_on_batch

    def note(inputs):
        shapes.append(inputs["source_ids"].shape)
        return answer(inputs)

    model.predict_on_batch = note
    decode(model, [[5] * length for length in (1, 2, 3, 8, 9, 30, 31, 32, 3, 4, 5)], batch_size=6)
    assert shapes == [(6, 8), (6, 32)]
    shapes.clear()
    decode(model, [[5]] * 3, batch_size=32)
    assert shapes == [(4, 8)]


def test_no_source_gives_no_answer():
    found = decode(generator(beam=2, nbest=2), [])
    assert {name: value.shape for name, value in found.items()} == {
        "token_ids": (0, 2, 12), "scores": (0, 2), "sums": (0, 2), "lengths": (0, 2)
    }  # fmt: skip


def test_it_can_be_saved_and_read_back(tmp_path):
    model = generator({"seed": 4}, beam=3, nbest=2, coverage_penalty=0.2)
    wanted = model.predict_on_batch(inputs_of(model.decoding))
    for weight in model.decoder.speaker.weights.values():
        weight.assign(weight * 1.5)
    changed = model.predict_on_batch(inputs_of(model.decoding))
    assert np.abs(changed["sums"] - wanted["sums"]).max() > 1e-3
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.decoding == model.decoding
    same(again.predict_on_batch(inputs_of(model.decoding)), changed)


@keras.saving.register_keras_serializable(package="tests")
class SharingLayer(SpeakingLayer):
    """A speaker that takes one table from the encoder."""

    def __init__(self, table, **kwargs):
        super().__init__(**kwargs)
        self.table = table

    def get_config(self):
        return {**super().get_config(), "table": keras.saving.serialize_keras_object(self.table)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "table": keras.saving.deserialize_keras_object(config["table"])})

    def step(self, token_ids, state, prepared, index, need_weights=False):
        logits, state, weights = super().step(token_ids, state, prepared, index, need_weights)
        return logits + 0.5 * ops.sum(self.table(token_ids), axis=-1, keepdims=True) * logits, state, weights


def test_a_table_that_encoder_and_decoder_share_is_still_one_after_saving(tmp_path):
    table = keras.layers.Embedding(40, speaking.WIDTH, name="table")
    plain = generator({"seed": 4}, table, beam=2)
    decoder = SharingLayer(table, seed=4)
    decoder.build()
    model = Generator(plain.encoder, decoder, plain.decoding)
    table.set_weights([table.get_weights()[0] * 1.1])
    wanted = model.predict_on_batch(inputs_of(model.decoding))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    same(again.predict_on_batch(inputs_of(model.decoding)), wanted)
    assert again.decoder.table is again.encoder.get_layer("table")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="graphs are written there")
@pytest.mark.parametrize("name", ["greedy", "beam", "coverage", "nucleus", "transformer", "recurrent"])
def test_a_saved_graph_takes_any_batch_and_length(name, tmp_path):
    import tensorflow as tf

    if name in SETTINGS:
        model = generator({"seed": 8}, **{**SETTINGS[name], "max_length": 34})
    else:
        encoder, decoder, _ = real("multi_head" if name == "transformer" else name)
        model = Generator(encoder, decoder, {"beam": 3, "nbest": 2, "coverage_penalty": 0.1, "max_length": 34})
    names = {"source_ids": tf.TensorSpec((None, None), "int32", name="source_ids")}
    if model.decoding.sample:
        names["noise"] = tf.TensorSpec((None, 34), "float32", name="noise")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", lambda *values: model(dict(zip(names, values))), input_signature=[*names.values()])
    archive.write_out(str(tmp_path / "graph"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "graph")).signatures["serving_default"]
    for sources in ([[5, 9, 17, 3], [8, 3], [20, 21, 7, 6, 11, 2, 3]], [[5, 9, 3]], [[8, 3], [7, 6, 5, 3]]):
        inputs = inputs_of(model.decoding, sources)
        short = {"source_ids": inputs["source_ids"][:, : max(len(source) for source in sources)]}
        found = loaded(**{key: tf.constant(value) for key, value in {**inputs, **short}.items()})
        same({key: value.numpy() for key, value in found.items()}, model.predict_on_batch(inputs), 3e-4)


def real(kind):
    """Make a generator of the zoo's own decoders, with small random weights; return the training model too."""
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    memory = TokenEmbedding(30, 16, "sinusoidal")(source)
    if kind == "recurrent":
        decoder = RecurrentDecoder(8, 30, 16)
    else:
        decoder = TransformerDecoder(2, 30, 16, {"num_heads": 2, "feed_forward": 32, "attention": kind})
    logits = decoder(target, memory, memory_mask=ops.not_equal(source, 0))
    model = keras.Model({"source_ids": source, "target_ids": target}, logits)
    for weight in model.trainable_weights:
        weight.assign(weight * 3)
    return keras.Model(source, memory), decoder, model


@pytest.mark.parametrize("kind", ["multi_head", "recurrent"])
def test_real_decoders_say_what_full_passes_say(kind):
    keras.utils.set_random_seed(1)
    encoder, decoder, model = real(kind)
    ids = np.where(padded() > 29, 4, padded())[:4]
    greedy = Generator(encoder, decoder, {"beam": 1, "max_length": 10}).predict_on_batch({"source_ids": ids})
    target = np.full((4, 11), 2, "int32")
    target[:, 1:] = greedy["token_ids"][:, 0]
    logits = model.predict_on_batch({"source_ids": ids, "target_ids": target})
    for row, length in enumerate(greedy["lengths"][:, 0]):
        assert length > 0
        said = logits[row, :length].copy()
        said[:, :3] = -np.inf
        assert said.argmax(-1).tolist() == target[row, 1 : length + 1].tolist()
        sums = sum(speaking.log_softmax(logits[row, place])[target[row, place + 1]] for place in range(length))
        end = speaking.log_softmax(logits[row, length])[3] if length < 10 else 0.0
        np.testing.assert_allclose(greedy["sums"][row, 0], sums + end, atol=1e-3)
    options = {"beam": 3, "max_length": 10, "coverage_penalty": 0.1, "nbest": 2}
    beams = Generator(encoder, decoder, options)
    together = beams.predict_on_batch({"source_ids": ids})
    for row in (1, 2):
        alone = beams.predict_on_batch({"source_ids": ids[row : row + 1]})
        found = {name: value[0] for name, value in alone.items()}
        same(found, {name: value[row] for name, value in together.items()}, 3e-4)


def test_shapes_are_known_without_running():
    model = generator(beam=3, nbest=2)
    found = model({"source_ids": keras.Input((None,), dtype="int32")})
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in found.items()} == {
        "token_ids": ((None, 2, 12), "int32"),
        "scores": ((None, 2), "float32"),
        "sums": ((None, 2), "float32"),
        "lengths": ((None, 2), "int32"),
    }


def test_what_cannot_work_is_refused_in_one_sentence():
    model = generator()
    with pytest.raises(ZooError, match="decoder must have 'prepare', got Dense without it"):
        Generator(model.encoder, keras.layers.Dense(3))
    with pytest.raises(ZooError, match="setting of decoding 'beem' is unknown"):
        Generator(model.encoder, model.decoder, {"beem": 3})
    with pytest.raises(ZooError, match="built layers, got 'young' without weights"):
        Generator(model.encoder, SpeakingLayer(name="young")).build()
    with pytest.raises(ZooError, match="batch_size must be a whole number of at least 1"):
        decode(model, [[3]], batch_size=0)
    silent = generator({"weighs": False}, coverage_penalty=0.3)
    with pytest.raises(ZooError, match=r"coverage_penalty 0\.3 wants a decoder whose step gives attention weights"):
        silent.predict_on_batch({"source_ids": padded()})
