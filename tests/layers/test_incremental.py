"""Token by token gives what one call on the whole sequence gives, for whatever attention can be cached."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import core, layers
from attention_zoo.errors import ZooValueError
from attention_zoo.layers import heads

BATCH, LENGTH, WIDTH, ROOM = 2, 9, 6, 11
TOKENS = np.random.default_rng(0).normal(size=(BATCH, LENGTH, WIDTH)).astype("float32")
MEMORY = np.random.default_rng(1).normal(size=(BATCH, 7, WIDTH)).astype("float32")
PADDING = np.arange(7) < np.array([[7], [4]])

POSITIONS = {
    "relative_table": {"size": (4, 3)},
    "continuous_bias": {"size": (4, 3), "hidden": 4},
    "rotary_2d": {"columns": 3},
    "learned": {"max_length": 7},
    "shaw": {"reach": 3},
    "disentangled": {"reach": 4},
    "cope": {"positions": 4},
    "t5_bias": {"buckets": 8, "max_distance": 9},
    "fourier": {"columns": 4},
}
PATTERNS = {
    "prefix": {"length": 3},
    "sliding_window": {"reach": 2},
    "dilated": {"reach": 2},
    "block": {"size": 4},
    "strided": {"stride": 3},
    "fixed": {"stride": 3, "summary": 1},
    "both": {"first": {"name": "sliding_window", "reach": 3}, "second": "causal"},
    "either": {
        "first": {"name": "sliding_window", "reach": 1, "one_sided": True},
        "second": {"name": "prefix", "length": 2},
    },
}


def by_name(kind, arguments):
    """Return settings for every part of a kind, those that draw at random apart."""
    return {f"{kind} {name}": {kind: {"name": name, **arguments.get(name, {})}} for name in core.part_names(kind)}


SETTINGS = {
    "plain": {},
    "grouped": {"num_key_value_heads": 2},
    "multi-query": {"num_key_value_heads": 1},
    "gated, talking, other values": {"use_gate": True, "talking_heads": True, "value_dim": 3},
    "window by Keras's name": {"sliding_window": 3},
    "grouped rotary window sink": {
        "num_key_value_heads": 2,
        "position": "rotary",
        "pattern": {"name": "sliding_window", "reach": 2, "one_sided": True},
        "normalizer": "sink_softmax",
    },
    "multi-query transformer-xl": {"num_key_value_heads": 1, "position": "transformer_xl"},
    "grouped disentangled cosine": {"num_key_value_heads": 2, "position": "disentangled", "score": "cosine"},
    **by_name("score", {}),
    **by_name("normalizer", {"top_k": {"count": 3}}),
    **by_name("position", POSITIONS),
    **by_name("pattern", PATTERNS),
}
VARIANTS = {
    name: lambda settings=settings: layers.MultiHeadAttention(4, 4, **settings) for name, settings in SETTINGS.items()
}
VARIANTS |= {
    "linear": lambda: layers.LinearAttention(4, 4, num_key_value_heads=2, position="sinusoidal"),
    "linear learned": lambda: layers.LinearAttention(4, 4, value_dim=3, position="learned", use_gate=True),
    "latent": lambda: heads.LatentAttention(4, 4),
    "latent compressed window": lambda: heads.LatentAttention(
        4, 4, 3, latent_dim=5, query_latent_dim=3, rotary_dim=6, sliding_window=4, talking_heads=True, use_gate=True
    ),
    "differential": lambda: heads.DifferentialAttention(4, 4),
    "differential grouped rotary sigmoid": lambda: heads.DifferentialAttention(
        4, 4, num_key_value_heads=2, position="rotary", normalizer="sigmoid", value_dim=3
    ),
    "segment memory": lambda: heads.SegmentMemoryAttention(4, 4, num_key_value_heads=1),
    "forgetting": lambda: heads.ForgettingAttention(4, 4, num_key_value_heads=2, position="rotary"),
    "attention on attention": lambda: heads.AttentionOnAttention(4, 4, position="alibi"),
}


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def built(make, *shapes):
    """Build a layer and draw weights none of which is zero."""
    layer = make()
    layer(*(keras.Input(shape[1:]) for shape in shapes or (TOKENS.shape,)))
    generator = np.random.default_rng(3)
    layer.set_weights([w + 0.3 * generator.normal(size=w.shape).astype(w.dtype) for w in layer.get_weights()])
    return layer


def whole(layer, tokens=TOKENS):
    """Call the layer once, on all."""
    pattern = getattr(layer, "pattern", None)
    return numbers(layer(tokens, use_causal_mask=pattern is None or pattern.prefix is None))


def steps(layer, sizes, tokens=TOKENS, index=lambda place: place, **options):
    """Call it piece by piece."""
    cache, place, outputs = layer.empty_cache(BATCH, ROOM), 0, []
    for size in sizes:
        output, cache = layer.step(tokens[:, place : place + size], cache, index(place), **options)
        outputs.append(numbers(output))
        place += size
    return np.concatenate(outputs, axis=1)


@pytest.mark.parametrize("name", VARIANTS)
def test_steps_are_the_whole(name):
    layer = built(VARIANTS[name])
    wanted = whole(layer)
    np.testing.assert_allclose(steps(layer, [4, 1, 4]), wanted, atol=1e-5)
    # The prefix must come in one piece.
    sizes = [4, 1, 4] if "prefix" in str(SETTINGS.get(name)) else [1] * LENGTH
    as_tensor = steps(layer, sizes, index=lambda place: ops.convert_to_tensor(place, dtype="int32"))
    np.testing.assert_allclose(as_tensor, wanted, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_reading_a_projected_memory_is_the_whole_cross_call(name):
    layer = built(VARIANTS[name], TOKENS.shape, MEMORY.shape)
    wanted = numbers(layer(TOKENS, MEMORY, value_mask=PADDING))
    cache = layer.memory_cache(MEMORY, value_mask=PADDING)
    pieces = [numbers(layer.read(TOKENS[:, start:end], cache, start)) for start, end in ((0, 4), (4, 5), (5, 9))]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["grouped", "pattern sliding_window", "latent", "differential", "forgetting"])
def test_reading_tells_where_it_looked_and_changes_nothing(name):
    layer = built(VARIANTS[name], TOKENS.shape, MEMORY.shape)
    _, wanted = layer(TOKENS, MEMORY, value_mask=PADDING, return_attention_scores=True)
    cache = layer.memory_cache(MEMORY, value_mask=PADDING)
    with core.Tape() as tape:
        output, found = layer.read(TOKENS[:, 3:5], cache, 3, return_attention_scores=True)
    np.testing.assert_allclose(numbers(found), numbers(wanted)[:, :, 3:5], atol=1e-5)
    np.testing.assert_allclose(numbers(output), numbers(layer.read(TOKENS[:, 3:5], cache, 3)), atol=1e-5)
    assert len(tape.maps) == 1


@pytest.mark.parametrize("name", ["plain", "linear"])
def test_a_memory_is_read_with_the_masks_of_a_call(name):
    layer = built(VARIANTS[name], TOKENS.shape, MEMORY.shape)
    shown = np.arange(LENGTH) < np.array([[LENGTH], [3]])
    wanted = numbers(layer(TOKENS, MEMORY, query_mask=shown))
    np.testing.assert_allclose(
        numbers(layer.read(TOKENS, layer.memory_cache(MEMORY), query_mask=shown)), wanted, atol=1e-5
    )


def test_keys_and_values_of_a_memory_may_differ():
    layer = built(VARIANTS["grouped"], TOKENS.shape, MEMORY.shape)
    wanted = numbers(layer(TOKENS, MEMORY, MEMORY[::-1].copy()))
    cache = layer.memory_cache(MEMORY, MEMORY[::-1].copy())
    np.testing.assert_allclose(numbers(layer.read(TOKENS, cache)), wanted, atol=1e-5)
    pairs = np.random.default_rng(5).random((BATCH, LENGTH, 7)) < 0.5
    wanted = numbers(layer(TOKENS, MEMORY, MEMORY[::-1].copy(), attention_mask=pairs))
    np.testing.assert_allclose(numbers(layer.read(TOKENS, cache, attention_mask=pairs)), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["plain", "position rotary", "latent", "differential"])
def test_padding_before_the_first_token_is_hidden_by_the_mask_of_the_cache(name):
    layer = built(VARIANTS[name])
    seen = np.arange(LENGTH) >= np.array([[0], [3]])
    wanted = numbers(layer(TOKENS, query_mask=seen, value_mask=seen, use_causal_mask=True))
    room = np.concatenate([seen, np.ones((BATCH, ROOM - LENGTH), bool)], axis=1)
    found = steps(layer, [4, 1, 4], value_mask=room)
    np.testing.assert_allclose(found[seen], wanted[seen], atol=1e-5)


@pytest.mark.parametrize("name", ["grouped", "latent", "linear", "position transformer_xl"])
def test_beams_are_followed_by_gathering_the_state(name):
    layer = built(VARIANTS[name])
    cache = layer.empty_cache(BATCH, ROOM)
    _, cache = layer.step(TOKENS[:, :4], cache, 0)
    assert all(tensor.shape[0] == BATCH for tensor in cache.values())
    cache = {key: ops.take(tensor, ops.convert_to_tensor([1, 1]), axis=0) for key, tensor in cache.items()}
    output, _ = layer.step(TOKENS[:1, 4:5].repeat(2, 0), cache, 4)
    joined = np.concatenate([TOKENS[1:, :4], TOKENS[:1, 4:5]], axis=1)
    np.testing.assert_allclose(numbers(output), whole(layer, joined)[:, 4:].repeat(2, 0), atol=1e-5)


class Decoder(keras.Model):
    """Run a layer token by token in a loop of the backend, each token the last output plus its own input."""

    def __init__(self, layer, kind):
        super().__init__()
        self.layer, self.kind = layer, kind

    def call(self, tokens):
        def body(index, cache, outputs):
            token = ops.take(tokens, ops.reshape(index, (1,)), axis=1)
            output, cache = self.layer.step(token, cache, index)
            here = ops.reshape(ops.arange(LENGTH), (1, LENGTH, 1)) == index
            return index + 1, cache, ops.where(here, output, outputs)

        cache = self.layer.empty_cache(BATCH, LENGTH)
        index = ops.convert_to_tensor(0, dtype="int32")
        start = (index, cache, ops.zeros((BATCH, LENGTH, WIDTH)))
        if self.kind == "while":
            return ops.while_loop(lambda index, cache, outputs: index < LENGTH, body, start)[2]
        return ops.fori_loop(0, LENGTH, lambda place, state: body(*state), start)[2]


@pytest.mark.parametrize("kind", ["while", "for"])
@pytest.mark.parametrize("name", ["grouped rotary window sink", "latent", "linear", "position cope", "plain"])
def test_a_compiled_loop_gives_the_whole(name, kind):
    layer = built(VARIANTS[name])
    found = Decoder(layer, kind).predict_on_batch(TOKENS)
    np.testing.assert_allclose(found, whole(layer), atol=1e-5)


def test_a_step_is_a_model_that_takes_any_number_of_tokens():
    layer = built(VARIANTS["grouped"])
    tokens, index = keras.Input((None, WIDTH)), keras.Input((), batch_size=1, dtype="int32")

    class Step(keras.layers.Layer):
        def call(self, tokens, index, key, value):
            output, cache = layer.step(tokens, {"key": key, "value": value}, index[0])
            return output, cache["key"], cache["value"]

    kept = [keras.Input((ROOM, 2, 4)) for _ in range(2)]
    model = keras.Model([tokens, index, *kept], Step()(tokens, index, *kept))
    state, place, outputs = [np.zeros((BATCH, ROOM, 2, 4), "float32")] * 2, 0, []
    for size in (4, 1, 4):
        at = np.array([place], "int32")
        output, *state = model.predict_on_batch([TOKENS[:, place : place + size], at, *state])
        outputs.append(output)
        place += size
    np.testing.assert_allclose(np.concatenate(outputs, axis=1), whole(layer), atol=1e-5)


def test_half_precision_keeps_its_type_in_the_state():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = built(VARIANTS["grouped"])
    finally:
        keras.config.set_dtype_policy(before)
    output, cache = layer.step(TOKENS[:, :3], layer.empty_cache(BATCH, ROOM), 0)
    assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in cache.values()} == {"bfloat16"}
    wanted = ops.cast(layer(TOKENS[:, :3], use_causal_mask=True), "float32")
    np.testing.assert_allclose(numbers(ops.cast(output, "float32")), numbers(wanted), atol=0.05)


def test_a_prefix_does_not_see_what_has_not_come_yet():
    layer = built(VARIANTS["pattern prefix"])
    output, _ = layer.step(TOKENS[:, :2], layer.empty_cache(BATCH, ROOM), 0)
    np.testing.assert_allclose(numbers(output), whole(layer, TOKENS[:, :2]), atol=1e-5)


def test_what_cannot_be_kept_is_refused_with_a_reason():
    with pytest.raises(ZooValueError, match="wants a built layer"):
        layers.MultiHeadAttention(2, 3).empty_cache(1, 4)
    layer = built(lambda: layers.MultiHeadAttention(2, 3, attention_axes=(2,)), (2, 3, 4, WIDTH))
    with pytest.raises(ZooValueError, match="attention_axes"):
        layer.empty_cache(1, 4)

    class Other(layers.MultiHeadAttention):
        def attend_heads(self, *heads, **options):
            return super().attend_heads(*heads, **options)

    with pytest.raises(ZooValueError, match="whose past can be kept, got Other"):
        built(lambda: Other(2, 3)).empty_cache(1, 4)
    with pytest.raises(ZooValueError, match="causal must be False"):
        built(lambda: layers.LinearAttention(2, 3, causal=True)).memory_cache(MEMORY)
    with pytest.raises(ZooValueError, match="at least 3"):
        built(VARIANTS["pattern prefix"]).empty_cache(1, 2)


def test_a_segment_with_its_memory_is_the_end_of_the_whole():
    for settings in ({}, {"position": "rotary"}, {"position": "sinusoidal", "num_key_value_heads": 2}):
        layer = built(lambda settings=settings: heads.SegmentMemoryAttention(4, 4, memory_length=5, **settings))
        wanted = numbers(layer(TOKENS))
        memory = layer.keep(TOKENS[:, :5])
        np.testing.assert_allclose(numbers(layer(TOKENS[:, 5:], memory=memory)), wanted[:, 5:], atol=1e-5)
        output, scores = layer(TOKENS[:, 5:], memory=memory, return_attention_scores=True)
        np.testing.assert_allclose(numbers(output), wanted[:, 5:], atol=1e-5)
        assert scores.shape == (BATCH, 4, 4, 9)
    assert layer.keep(TOKENS[:, 5:], memory).shape == (BATCH, 5, WIDTH)
    np.testing.assert_allclose(numbers(layer.keep(TOKENS[:, 5:], memory)), TOKENS[:, 4:], atol=0)


def test_a_masked_memory_is_not_seen():
    layer = built(lambda: heads.SegmentMemoryAttention(4, 4, position="none", pattern="full"))
    memory, mask = TOKENS[:, :5], np.zeros((BATCH, 5), bool)
    wanted = numbers(layer(TOKENS[:, 5:]))
    np.testing.assert_allclose(numbers(layer(TOKENS[:, 5:], memory=memory, memory_mask=mask)), wanted, atol=1e-5)
    assert np.abs(numbers(layer(TOKENS[:, 5:], memory=memory)) - wanted).max() > 1e-3
    with pytest.raises(ZooValueError, match="value must be left out"):
        layer(TOKENS[:, 5:], MEMORY, memory=memory)


def test_a_functional_model_carries_memory_of_any_length():
    layer = heads.SegmentMemoryAttention(4, 4)
    tokens, memory = keras.Input((None, WIDTH)), keras.Input((None, WIDTH))
    model = keras.Model([tokens, memory], layer(tokens, memory=memory))
    for length in (5, 2):
        found = model.predict_on_batch([TOKENS[:, length:], TOKENS[:, :length]])
        np.testing.assert_allclose(found, numbers(layer(TOKENS))[:, length:], atol=1e-5)
