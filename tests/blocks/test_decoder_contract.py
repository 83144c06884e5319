"""What every decoder promises: steps give what a call gives, for any batch, any hypotheses and any length."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks.recurrent_decoder import RecurrentDecoder
from attention_zoo.blocks.transformer_decoder import TransformerDecoder
from attention_zoo.calibrate import capture

WORDS, WIDTH, MEMORY_WIDTH, LENGTH, ROOM = 11, 8, 8, 6, 9
RANDOM = np.random.default_rng(0)
TARGETS = np.array([[2, 5, 6, 7, 4, 9], [2, 8, 4, 0, 0, 0], [2, 10, 5, 5, 6, 0]], "int32")
MEMORY = RANDOM.normal(size=(3, 5, MEMORY_WIDTH)).astype("float32")
SEEN = np.arange(5) < np.array([[5], [3], [1]])
HEADS = {"num_heads": 4, "feed_forward": 12}


def transformer(depth=2, block=(), **settings):
    """Describe a transformer's decoder."""
    block = {**HEADS, **dict(block)}
    return lambda: TransformerDecoder(depth, WORDS, WIDTH, block, name="decoder", **settings)


def recurrent(alignment="alignment", units=MEMORY_WIDTH, **settings):
    """Describe a recurrent decoder."""
    return lambda: RecurrentDecoder(units, WORDS, WIDTH, alignment=alignment, name="decoder", **settings)


DECODERS = {
    "pre-norm": transformer(),
    "post-norm": transformer(block={"norm": "post", "kind": "relu"}),
    "untied learned": transformer(1, tie=False, position={"name": "learned", "max_length": 7}),
    "rotary": transformer(block={"attention": "rotary", "key_dim": 4}, position="none"),
    "alibi": transformer(block={"attention": "alibi"}, position="none"),
    "grouped_query": transformer(block={"attention": "grouped_query"}),
    "sliding_window": transformer(block={"attention": {"name": "sliding_window", "sliding_window": 2}}),
    "rotary window": transformer(
        block={"attention": {"name": "rotary", "sliding_window": 3, "num_key_value_heads": 1}, "key_dim": 4}
    ),
    "linear": transformer(block={"attention": "linear"}),
    "retention": transformer(1, block={"attention": "retention", "key_dim": 4}),
    "differential": transformer(1, block={"attention": "differential", "cross_attention": "differential"}),
    "gru": recurrent(),
    "lstm, general, not fed": recurrent(
        {"name": "alignment", "score": "general"}, cell="lstm", input_feeding=False, tie=False
    ),
    "other width": recurrent(units=5),
    "lstm, location_aware": recurrent("location_aware", cell="lstm"),
    "coverage": recurrent("coverage"),
    "monotonic": recurrent({"name": "monotonic", "inference": "soft"}, units=6),
    "local_monotonic": recurrent({"name": "local_monotonic", "reach": 2}),
    "location_based": recurrent("location_based"),
}
# One of each way to keep what was before, to norm, and to look.
SOME = ["pre-norm", "post-norm", "rotary window", "linear", "gru", "local_monotonic"]
FEW = ["pre-norm", "linear", "lstm, location_aware"]


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def built(name, shake=True):
    """Build a decoder and move its weights, so that none is zero."""
    decoder = DECODERS[name]()
    decoder(keras.Input((None,), dtype="int32"), keras.Input((None, MEMORY_WIDTH)))
    generator = np.random.default_rng(3)
    if shake:
        decoder.set_weights([w + 0.3 * generator.normal(size=w.shape).astype(w.dtype) for w in decoder.get_weights()])
    return decoder


def network(decoder):
    """Put a decoder into a functional model."""
    places = {
        "target_ids": keras.Input((None,), dtype="int32", name="target_ids"),
        "memory": keras.Input((None, MEMORY_WIDTH), name="memory"),
        "seen": keras.Input((None,), dtype="bool", name="seen"),
    }
    return keras.Model(places, decoder(places["target_ids"], places["memory"], memory_mask=places["seen"]))


def by_steps(decoder, targets=TARGETS, memory=MEMORY, seen=SEEN, beams=1):
    """Decode token by token; return logits and weights, [rows, time, ...]."""
    prepared = decoder.prepare(ops.convert_to_tensor(memory), None if seen is None else ops.convert_to_tensor(seen))
    state = decoder.start(prepared, len(memory) * beams, ROOM)
    logits, maps = [], []
    for place in range(targets.shape[1]):
        token_ids = ops.convert_to_tensor(targets[:, place])
        found, state, weights = decoder.step(token_ids, state, prepared, place, need_weights=True)
        logits.append(numbers(found))
        maps.append(numbers(weights))
    return np.stack(logits, 1), np.stack(maps, 1), state


@pytest.mark.parametrize("name", DECODERS)
def test_steps_are_the_call(name):
    decoder, shown = built(name), TARGETS != 0
    wanted = numbers(decoder(TARGETS, MEMORY, memory_mask=SEEN))
    np.testing.assert_allclose(by_steps(decoder)[0][shown], wanted[shown], atol=1e-5)


@pytest.mark.parametrize("name", FEW)
def test_steps_are_the_call_without_a_mask(name):
    decoder, shown = built(name), TARGETS != 0
    wanted = numbers(decoder(TARGETS, MEMORY))
    np.testing.assert_allclose(by_steps(decoder, seen=None)[0][shown], wanted[shown], atol=1e-5)


@pytest.mark.parametrize("name", SOME)
def test_rows_of_one_source_are_decoded_as_if_alone(name):
    decoder = built(name)
    rows = RANDOM.integers(1, WORDS, size=(6, 4)).astype("int32")
    logits, maps, state = by_steps(decoder, rows, MEMORY, SEEN, beams=2)
    for beam in (0, 1):
        alone, own_maps, own_state = by_steps(decoder, rows[beam::2], MEMORY, SEEN)
        np.testing.assert_allclose(logits[beam::2], alone, atol=1e-5)
        np.testing.assert_allclose(maps[beam::2], own_maps, atol=1e-5)
        for entry in state:
            np.testing.assert_allclose(numbers(state[entry])[beam::2], numbers(own_state[entry]), atol=1e-5)


@pytest.mark.parametrize("name", SOME)
def test_the_weights_of_steps_are_the_map_that_a_tape_sees(name):
    decoder, shown = built(name), TARGETS != 0
    model = capture(network(decoder))
    found = model.predict_on_batch({"target_ids": TARGETS, "memory": MEMORY, "seen": SEEN})
    ending = "cell.alignment" if isinstance(decoder, RecurrentDecoder) else f"block_{decoder.depth}.cross_attention"
    taped = found[f"attention.decoder.{ending}"].mean(axis=1)
    maps = by_steps(decoder)[1]
    np.testing.assert_allclose(maps[shown], taped[shown], atol=1e-5)
    np.testing.assert_array_equal(maps[~np.broadcast_to(SEEN[:, None], maps.shape)], 0.0)


@pytest.mark.parametrize("name", SOME)
def test_padding_and_neighbours_change_nothing(name):
    decoder = built(name)
    wanted = numbers(decoder(TARGETS, MEMORY, memory_mask=SEEN))
    for row, (target, seen) in enumerate(zip(TARGETS != 0, SEEN)):
        alone = numbers(decoder(TARGETS[row : row + 1, target], MEMORY[row : row + 1, seen]))[0]
        np.testing.assert_allclose(wanted[row, target], alone, atol=1e-5)
    noise = np.where(SEEN[..., None], MEMORY, 7.0).astype("float32")
    np.testing.assert_allclose(numbers(decoder(TARGETS, noise, memory_mask=SEEN)), wanted, atol=1e-5)


@pytest.mark.parametrize("name", SOME)
def test_no_logits_know_a_later_token(name):
    decoder, changed = built(name), TARGETS.copy()
    changed[0, 3:] = [3, 3, 3]
    wanted, found = numbers(decoder(TARGETS, MEMORY)), numbers(decoder(changed, MEMORY))
    np.testing.assert_allclose(found[0, :3], wanted[0, :3], atol=1e-6)
    assert np.abs(found[0, 3:] - wanted[0, 3:]).max() > 1e-3


@pytest.mark.parametrize("name", SOME)
def test_what_grows_is_written_at_the_index_alone(name):
    decoder = built(name)
    prepared = decoder.prepare(ops.convert_to_tensor(MEMORY))
    before = decoder.start(prepared, 3, ROOM)
    _, after, _ = decoder.step(ops.convert_to_tensor(TARGETS[:, 0]), before, prepared, 4)
    assert set(before) == set(after) and set(decoder.growing) <= set(before)
    assert not set(before) & set(prepared)
    for entry, old in before.items():
        assert after[entry].shape == old.shape and after[entry].dtype == old.dtype
        moved = np.abs(numbers(after[entry]) - numbers(old))
        if entry in decoder.growing:
            assert moved.shape[1] == ROOM and moved[:, 4].max() > 0
            moved[:, 4] = 0
            assert moved.max() == 0


@pytest.mark.parametrize("name", FEW)
def test_a_model_is_saved_and_read_back(name, tmp_path):
    model = network(built(name))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    arrays = {"target_ids": TARGETS, "memory": MEMORY, "seen": SEEN}
    np.testing.assert_allclose(again.predict_on_batch(arrays), model.predict_on_batch(arrays), atol=1e-6)
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    decoder = again.get_layer("decoder")
    np.testing.assert_allclose(by_steps(decoder)[0], by_steps(model.get_layer("decoder"))[0], atol=1e-6)


@pytest.mark.parametrize("name", [*SOME, "untied learned", "differential", "lstm, general, not fed", "monotonic"])
def test_gradients_reach_every_weight(name):
    model = network(built(name))
    model.compile(keras.optimizers.SGD(10.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = {w.path: numbers(w) for w in model.trainable_weights}
    labels = np.roll(TARGETS, -1, axis=1)
    model.train_on_batch({"target_ids": TARGETS, "memory": MEMORY, "seen": SEEN}, labels)
    still = [w.path for w in model.trainable_weights if np.abs(numbers(w) - before[w.path]).max() == 0]
    assert still == []
    assert all(np.isfinite(numbers(w)).all() for w in model.weights)


@pytest.mark.parametrize("name", FEW)
def test_half_precision_is_finite_and_keeps_its_types(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        decoder = built(name, shake=False)
        logits = decoder(TARGETS, MEMORY, memory_mask=SEEN, training=True)
        wanted = numbers(decoder(TARGETS, MEMORY, memory_mask=SEEN))
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert np.isfinite(numbers(logits)).all()
    prepared = decoder.prepare(ops.convert_to_tensor(MEMORY), ops.convert_to_tensor(SEEN))
    state = first = decoder.start(prepared, 3, ROOM)
    for place in range(3):
        token_ids = ops.convert_to_tensor(TARGETS[:, place])
        found, state, weights = decoder.step(token_ids, state, prepared, place, need_weights=True)
        assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in (found, weights)} == {"float32"}
        np.testing.assert_allclose(numbers(found), wanted[:, place], atol=0.1)
    assert {name: tensor.dtype for name, tensor in state.items()} == {name: t.dtype for name, t in first.items()}


class Greedy(keras.Model):
    """Write the likeliest tokens in a loop of the backend, two rows for each source."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def call(self, inputs):
        prepared = self.decoder.prepare(inputs["memory"], inputs["seen"])
        rows = 2 * ops.shape(inputs["memory"])[0]
        state = self.decoder.start(prepared, rows, LENGTH)
        places = ops.expand_dims(ops.arange(LENGTH), 0)
        written = ops.where(places == 0, 2, ops.zeros((rows, LENGTH), dtype="int32"))

        def body(index, written, state):
            token_ids = ops.squeeze(ops.take(written, ops.reshape(index, (1,)), axis=1), 1)
            logits, state, _ = self.decoder.step(token_ids, state, prepared, index)
            said = ops.cast(ops.argmax(logits[:, 1:], axis=-1) + 1, "int32")
            return index + 1, ops.where(places == index + 1, ops.expand_dims(said, 1), written), state

        start = (ops.convert_to_tensor(0, dtype="int32"), written, state)
        return ops.while_loop(lambda index, *_: index < LENGTH - 1, body, start)[1]


@pytest.mark.parametrize("name", SOME)
def test_a_compiled_loop_writes_what_calls_of_the_whole_would(name):
    decoder = built(name)
    written = np.full((3, LENGTH), 2, "int32")
    for place in range(1, LENGTH):
        logits = numbers(decoder(written[:, :place], MEMORY, memory_mask=SEEN))
        written[:, place] = logits[:, -1, 1:].argmax(-1) + 1
    found = Greedy(decoder).predict_on_batch({"memory": MEMORY, "seen": SEEN})
    np.testing.assert_array_equal(found, written.repeat(2, axis=0))
