"""The recurrent decoder: where it begins, what it reads of itself while training, and what it refuses."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks.recurrent import bidirectional
from attention_zoo.blocks.recurrent_decoder import RecurrentDecoder
from attention_zoo.blocks.tied_embedding import TiedEmbedding
from attention_zoo.errors import ZooTypeError, ZooValueError

WORDS, WIDTH, UNITS = 9, 6, 8
RANDOM = np.random.default_rng(0)
MEMORY = RANDOM.normal(size=(2, 4, UNITS)).astype("float32")
SEEN = np.array([[True] * 4, [True, True, False, False]])
IDS = np.array([[2, 4, 5, 6, 8], [2, 7, 8, 0, 0]], "int32")


def numbers(value):
    """Bring a tensor to NumPy."""
    return ops.convert_to_numpy(value)


def made(**settings):
    """Make and build a decoder whose weights are the same on every backend."""
    decoder = RecurrentDecoder(UNITS, WORDS, WIDTH, name="decoder", **settings)
    decoder(IDS, MEMORY)
    generator = np.random.default_rng(1)
    for weight in decoder.trainable_weights:
        weight.assign(0.7 * generator.normal(size=weight.shape))
    return decoder


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_text_begins_with_the_mean_of_the_memory(cell):
    decoder = made(cell=cell)
    prepared = decoder.prepare(ops.convert_to_tensor(MEMORY), ops.convert_to_tensor(SEEN))
    means = np.stack([rows[seen].mean(0) for rows, seen in zip(MEMORY, SEEN)])
    state = decoder.start(prepared, 4, 10)
    for number, first in enumerate(decoder.firsts, 1):
        wanted = np.tanh(means @ numbers(first.kernel) + numbers(first.bias))
        np.testing.assert_allclose(numbers(prepared[f"first_{number}"]), wanted, atol=1e-5)
        np.testing.assert_allclose(numbers(state[f"state_{number + 1}"]), wanted.repeat(2, axis=0), atol=1e-5)
    np.testing.assert_array_equal(numbers(state["state_1"]), np.zeros((4, WIDTH)))
    assert decoder.growing == ()


def test_a_memory_that_is_all_padding_is_finite():
    decoder = made()
    assert np.isfinite(numbers(decoder(IDS, MEMORY, memory_mask=np.zeros((2, 4), bool)))).all()


def test_an_alignment_compares_as_it_is_where_widths_allow():
    assert made().cell.alignment.units is None
    assert made(alignment="location_aware").cell.alignment.units == UNITS
    assert made(alignment={"name": "coverage", "units": 5}).cell.alignment.units == 5
    other = RecurrentDecoder(5, WORDS, WIDTH)
    other(IDS, MEMORY)
    assert other.cell.alignment.units == 5


def test_a_call_adds_the_loss_of_its_alignment():
    decoder = RecurrentDecoder(UNITS, WORDS, WIDTH, alignment={"name": "coverage", "factor": 2.0})
    decoder(IDS, MEMORY)
    assert len(decoder.losses) == 1
    assert float(numbers(decoder.losses[0])) > 0


def written(decoder, ids):
    """Return the ids that a decoder reads if each but the first is what it said before, and its logits."""
    prepared = decoder.prepare(ops.convert_to_tensor(MEMORY))
    state, read, logits = decoder.start(prepared, 2, 10), ids[:, 0], []
    for place in range(ids.shape[1]):
        found, state, _ = decoder.step(ops.convert_to_tensor(read), state, prepared, place)
        logits.append(numbers(found))
        read = logits[-1].argmax(-1).astype("int32")
    return np.stack(logits, 1)


def test_sampled_steps_read_what_the_network_said():
    decoder, full = made(scheduled_sampling=0.0), np.where(IDS == 0, 3, IDS)
    forced = numbers(decoder(full, MEMORY))
    np.testing.assert_allclose(numbers(decoder(full, MEMORY, training=True)), forced, atol=1e-5)
    decoder.sampling_share.assign(1.0)
    free = written(decoder, full)
    assert np.abs(free - forced).max() > 1e-3
    np.testing.assert_allclose(numbers(decoder(full, MEMORY, training=True)), free, atol=1e-5)
    np.testing.assert_allclose(numbers(decoder(full, MEMORY)), forced, atol=1e-5)
    np.testing.assert_allclose(free[:, 0], forced[:, 0], atol=1e-5)


def test_the_share_of_sampled_steps_is_the_one_asked_for():
    decoder = made(scheduled_sampling=0.25, seed=1)
    ids, memory = np.repeat(IDS[:1], 200, axis=0), np.repeat(MEMORY[:1], 200, axis=0)
    said = numbers(decoder(ids[:1], memory[:1]))[0, 0].argmax()
    ids[:, 1] = 4 if said != 4 else 5
    forced, found = numbers(decoder(ids, memory)), numbers(decoder(ids, memory, training=True))
    differs = np.abs(found[:, 1] - forced[:, 1]).max(-1) > 1e-5
    assert 0.15 < differs.mean() < 0.35


def test_a_compiled_training_takes_a_share_that_is_raised_on_the_way():
    keras.utils.set_random_seed(0)
    target, memory = keras.Input((None,), dtype="int32"), keras.Input((None, UNITS))
    decoder = RecurrentDecoder(UNITS, WORDS, WIDTH, dropout=0.1, scheduled_sampling=0.0, name="decoder")
    model = keras.Model([target, memory], decoder(target, memory))
    model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    shares = []

    class Raise(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            decoder.sampling_share.assign(0.1 * epoch)

        def on_epoch_end(self, epoch, logs=None):
            shares.append(float(numbers(decoder.sampling_share)))

    labels = np.roll(IDS, -1, axis=1)
    history = model.fit([IDS, MEMORY], labels, epochs=8, verbose=0, callbacks=[Raise()])
    np.testing.assert_allclose(shares, 0.1 * np.arange(8), atol=1e-6)
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]


def test_without_sampling_there_is_no_share():
    paths = {weight.path for weight in made().weights}
    assert not any("sampling" in path for path in paths)
    assert {"decoder/embedding/table/embeddings", "decoder/cell/gru/kernel", "decoder/first_1/bias"} <= paths
    assert "decoder/cell/join/kernel" in paths


def test_a_shared_table_and_the_encoder_that_belongs_to_it(tmp_path):
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedding = TiedEmbedding(WORDS, WIDTH, name="embedding")
    memory = bidirectional("gru", UNITS // 2, name="encoder")(embedding(source))
    settings = {"alignment": "location_aware", "embedding": embedding, "scheduled_sampling": 0.1}
    model = keras.Model(
        [source, target], RecurrentDecoder(UNITS, WORDS, WIDTH, name="decoder", **settings)(target, memory)
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    paths = [[weight.path for weight in each.get_layer("decoder").weights] for each in (again, model)]
    assert paths[0] == paths[1]
    assert again.get_layer("decoder").embedding is again.get_layer("embedding")
    np.testing.assert_allclose(again.predict_on_batch([IDS, IDS]), model.predict_on_batch([IDS, IDS]), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "kind", "sentence"),
    [
        ({"units": 0}, ZooValueError, "^units must be a whole number of at least 1"),
        ({"cell": "lstn"}, ZooValueError, "^cell 'lstn' is unknown"),
        ({"alignment": "rotary"}, ZooValueError, "wanted one for 'align'"),
        ({"alignment": "monotone"}, ZooValueError, "'monotonic'"),
        ({"alignment": "input_feeding"}, ZooTypeError, "^alignment must be a StepwiseAlignment, got InputFeeding"),
        ({"scheduled_sampling": 1.0}, ZooValueError, "^scheduled_sampling must be"),
        ({"embedding": TiedEmbedding(WORDS, WIDTH, "sinusoidal")}, ZooValueError, "^embedding must have no position"),
    ],
)
def test_a_wrong_argument_is_named(settings, kind, sentence):
    with pytest.raises(kind, match=sentence):
        RecurrentDecoder(**{"units": UNITS, "vocabulary_size": WORDS, "width": WIDTH, **settings})(IDS, MEMORY)
