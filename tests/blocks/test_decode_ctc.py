"""A search with CTC beside the decoder, inside one compiled call, gives what the same search in NumPy gives."""

import importlib
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks.decode import Generator
from attention_zoo.errors import ZooError
from attention_zoo.search import Decoding, NumpyArrays, ctc_prefix

# The speaker and its oracles lie beside the tests of the search.
sys.path.insert(0, str(Path(__file__).parents[1] / "search"))
speaking = importlib.import_module("speaking")

SOURCES = [[5, 9, 17, 3], [8, 3], [30, 21, 7, 6, 11, 2, 3]]
STEPS, VOCABULARY = 12, speaking.VOCABULARY
SETTINGS = {
    "beam": {"beam": 4, "nbest": 4, "ctc_weight": 0.3},
    "greedy": {"beam": 1, "ctc_weight": 0.5},
    "coverage to the end": {"beam": 3, "ctc_weight": 0.7, "coverage_penalty": 0.2, "early_stopping": False},
}


@keras.saving.register_keras_serializable(package="tests.ctc")
class SpeakingDecoder(keras.layers.Layer):
    """The speaker of the tests as a layer."""

    growing = ("past",)

    def build(self, input_shape=None):
        self.speaker = speaking.Speaker(5)
        for name, value in self.speaker.weights.items():
            self.speaker.weights[name] = self.add_weight(shape=value.shape, name=name)
            self.speaker.weights[name].assign(value)

    def prepare(self, memory, memory_mask=None):
        return self.speaker.prepare(ops, memory, memory_mask)

    def start(self, prepared, rows, length):
        return self.speaker.start(ops, rows, length)

    def step(self, token_ids, state, prepared, index, need_weights=False):
        return self.speaker.step(ops, token_ids, state, prepared, index)


@keras.saving.register_keras_serializable(package="tests.ctc")
class Real(keras.layers.Layer):
    """Say where there is no padding."""

    def call(self, ids):
        return ops.not_equal(ids, 0)


def generator(with_ctc=True, steps=None, with_mask=True, **settings):
    """Make a generator whose encoder hands logits of CTC through."""
    decoder = SpeakingDecoder()
    decoder.build()
    source = keras.Input((None,), dtype="int32", name="ids")
    heard = keras.Input((steps, VOCABULARY), name="heard")
    table = keras.layers.Embedding(40, speaking.WIDTH, name="table")
    outputs = {"memory": table(source)}
    outputs |= {"memory_mask": Real(name="memory_mask")(source)} if with_mask else {}
    outputs |= {"ctc": keras.layers.Identity(name="ctc")(heard)} if with_ctc else {}
    encoder = keras.Model({"ids": source, "heard": heard}, outputs)
    table.set_weights([speaking.Speaker(5).weights["source"]])
    return Generator(encoder, decoder, Decoding(**{"max_length": 40, **settings}))


def inputs(steps=STEPS):
    """Return what the encoder reads."""
    ids = np.zeros((len(SOURCES), 8), "int32")
    for row, source in zip(ids, SOURCES):
        row[: len(source)] = source
    return {"ids": ids, "heard": np.random.default_rng(steps).normal(size=(3, steps, VOCABULARY)).astype("float32") * 3}


def by_numpy(settings, heard):
    """Search in NumPy."""
    chances = heard - np.logaddexp.reduce(heard, axis=2, keepdims=True)
    return speaking.spoken(speaking.Speaker(5), SOURCES, settings, ctc=chances if settings.ctc_weight else None)


def same(found, wanted):
    """Fail unless two results say the same."""
    for name in ("token_ids", "lengths"):
        np.testing.assert_array_equal(found[name], wanted[name])
    for name in ("scores", "sums"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_compiled_search_with_both_says_what_numpy_says(name):
    model = generator(**SETTINGS[name])
    # Of two numbers of steps: one just over a power of two; nothing is baked in.
    for steps in (STEPS, 17):
        given = inputs(steps)
        same(model.predict_on_batch(given), by_numpy(model.decoding, given["heard"]))


def test_without_a_weight_it_is_the_search_of_the_decoder_alone():
    plain = generator(with_ctc=False, beam=3, nbest=3)
    with_ctc = generator(beam=3, nbest=3)
    weighed = generator(beam=3, nbest=3, ctc_weight=0.5)
    given = inputs()
    wanted = plain.predict_on_batch(given)
    found = with_ctc.predict_on_batch(given)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    same(wanted, by_numpy(plain.decoding, given["heard"]))
    assert (weighed.predict_on_batch(given)["token_ids"] != wanted["token_ids"]).any()


def test_it_can_be_saved_and_read_back(tmp_path):
    model = generator(beam=2, ctc_weight=0.4)
    wanted = model.predict_on_batch(inputs())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.decoding == model.decoding
    same(again.predict_on_batch(inputs()), wanted)


def test_an_encoder_without_ctc_or_mask_is_refused_where_they_count():
    given = {name: ops.convert_to_tensor(value) for name, value in inputs().items()}
    with pytest.raises(ZooError, match=r"ctc_weight 0.4 wants an encoder that gives 'ctc', got \['memory', 'memory_ma"):
        generator(with_ctc=False, beam=2, ctc_weight=0.4)(given)
    with pytest.raises(
        ZooError, match=r"must give 'memory_mask' where no 'source_ids' are read, got \['ctc', 'memory'\]"
    ):
        generator(with_mask=False, beam=2)(given)


def test_scores_after_some_units_are_those_of_numpy():
    heard = inputs()["heard"]
    heard -= np.logaddexp.reduce(heard, axis=2, keepdims=True)
    rows = np.array([[2, 4, 4, 8], [2, 5, 8, 8], [2, 4, 6, 4], [2, 4, 5, 6], [2, 7, 7, 7], [2, 8, 4, 5]], "int32")
    scores = []
    for arrays in (ops, NumpyArrays):
        prepared = ctc_prefix.prepare(arrays, arrays.convert_to_tensor(heard))
        state = ctc_prefix.start(arrays, prepared, len(rows))
        for tokens in rows.T:
            state = ctc_prefix.read(arrays, Decoding(), prepared, state, arrays.convert_to_tensor(tokens))
        scores.append(ops.convert_to_numpy(ctc_prefix.score(arrays, Decoding(), prepared, state)))
    np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-4)
