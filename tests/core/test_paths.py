"""However attention is computed, the result is the same."""

import numpy as np
import pytest
from keras import ops

from attention_zoo import core
from attention_zoo.core import Masks, Parts, attend, attend_linear, linear, paths, windows

HEADS, GROUPS, CHANNELS, LENGTH = 4, 2, 4, 10
WAYS = ("fused", "matmul", "chunked")


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def arrays(length=LENGTH, keys=None):
    generator = np.random.default_rng(0)
    shapes = (
        (2, length, HEADS, CHANNELS),
        (2, keys or length, GROUPS, CHANNELS),
        (2, keys or length, GROUPS, CHANNELS),
    )
    return [ops.convert_to_tensor(generator.normal(size=shape).astype("float32")) for shape in shapes]


def parts(position=None, pattern=None, normalizer=None):
    position, normalizer = position or core.NoPosition(), normalizer or core.Softmax()
    for part in (position, normalizer):
        part.build((HEADS, CHANNELS, 8, CHANNELS))
    return Parts(core.ScaledDot(), normalizer, position, pattern or core.Full())


def mask(*shape, share=0.7):
    return ops.convert_to_tensor(np.random.default_rng(1).random(shape) < share)


def padding(length):
    found = np.ones((2, length), bool)
    found[0, -(length // 3) :] = False
    return ops.convert_to_tensor(found)


MASKS = {
    "no masks": lambda: Masks(),
    "keys": lambda: Masks(keys=padding(LENGTH)),
    "queries and keys": lambda: Masks(padding(LENGTH), padding(LENGTH)),
    "pairs": lambda: Masks(pairs=mask(2, 1, LENGTH, LENGTH)),
    "pairs of every head, and keys": lambda: Masks(keys=padding(LENGTH), pairs=mask(2, HEADS, LENGTH, LENGTH)),
    "one row of pairs": lambda: Masks(pairs=mask(2, 1, 1, LENGTH)),
    "nothing": lambda: Masks(pairs=mask(2, 1, LENGTH, LENGTH, share=0.0)),
}
MADE_OF = {
    "plain": lambda: parts(),
    "causal": lambda: parts(pattern=core.Causal()),
    "prefix and alibi": lambda: parts(core.ALiBi(), core.Prefix(3)),
    "t5 bias": lambda: parts(core.T5Bias(8, 9)),
}


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("made", MADE_OF.values(), ids=MADE_OF)
def test_fused_matmul_and_chunked_give_what_the_map_gives(made, masks, monkeypatch):
    monkeypatch.setattr(paths, "_CHUNK", 4)
    made, masks = made(), masks()
    wanted = numbers(attend(*arrays(), path="p", parts=made, masks=masks, need_weights=True).output)
    for way in WAYS:
        monkeypatch.setattr(paths, "choose", lambda length, way=way: way)
        attended = attend(*arrays(), path="p", parts=made, masks=masks)
        assert attended.weights is None
        np.testing.assert_allclose(numbers(attended.output), wanted, atol=2e-6, err_msg=way)


def test_each_way_is_the_one_that_runs(monkeypatch):
    monkeypatch.setattr(paths, "_CHUNK", 4)
    called = []
    fused, mapped = ops.dot_product_attention, ops.map
    monkeypatch.setattr(ops, "dot_product_attention", lambda *a, **k: called.append("fused") or fused(*a, **k))
    monkeypatch.setattr(ops, "map", lambda *a, **k: called.append("chunked") or mapped(*a, **k))
    for way in WAYS:
        monkeypatch.setattr(paths, "choose", lambda length, way=way: way)
        attend(*arrays(), path="p")
    assert called[0] == "fused"
    assert set(called[1:]) == {"chunked"}


@pytest.mark.parametrize("way", WAYS)
def test_queries_and_keys_of_different_lengths(way, monkeypatch):
    monkeypatch.setattr(paths, "_CHUNK", 4)
    monkeypatch.setattr(paths, "choose", lambda length: way)
    made, masks = parts(core.ALiBi(), core.Causal()), Masks(padding(LENGTH), padding(7))
    wanted = attend(*arrays(keys=7), path="p", parts=made, masks=masks, need_weights=True).output
    found = attend(*arrays(keys=7), path="p", parts=made, masks=masks).output
    np.testing.assert_allclose(numbers(found), numbers(wanted), atol=2e-6)


@pytest.mark.parametrize("way", WAYS)
def test_values_of_another_width_than_the_keys(way, monkeypatch):
    monkeypatch.setattr(paths, "_CHUNK", 4)
    monkeypatch.setattr(paths, "choose", lambda length: way)
    query, key, value = arrays()
    value = value[..., :3]
    wanted = attend(query, key, value, path="p", need_weights=True).output
    np.testing.assert_allclose(numbers(attend(query, key, value, path="p").output), numbers(wanted), atol=2e-6)


def test_the_measured_table_names_ways_that_exist():
    for rows in paths._table().values():
        assert rows[0]["from"] == 0
        assert [row["from"] for row in rows] == sorted(row["from"] for row in rows)
        assert {row["way"] for row in rows} <= set(WAYS)
    assert paths.choose(None) in WAYS


BOUNDED = {
    "window": lambda: core.SlidingWindow(3),
    "one-sided window": lambda: core.SlidingWindow(5, one_sided=True),
    "itself only": lambda: core.SlidingWindow(0),
    "dilated": lambda: core.Dilated(2, 3),
    "block": lambda: core.Block(5),
    "window and causal": lambda: core.SlidingWindow(4) & core.Causal(),
    "two windows": lambda: core.SlidingWindow(1) | core.SlidingWindow(3, one_sided=True),
}


@pytest.mark.parametrize("length", [3, 19])
@pytest.mark.parametrize("pattern", BOUNDED.values(), ids=BOUNDED)
def test_blocked_is_dense(pattern, length, monkeypatch):
    monkeypatch.setattr(windows, "_SMALLEST_BLOCK", 2)
    made = parts(core.ALiBi(), pattern())
    for masks in (Masks(), Masks(padding(length), padding(length))):
        wanted = attend(*arrays(length), path="p", parts=made, masks=masks, need_weights=True).output
        found = attend(*arrays(length), path="p", parts=made, masks=masks).output
        np.testing.assert_allclose(numbers(found), numbers(wanted), atol=2e-6)


@pytest.mark.parametrize("normalizer", [core.Entmax15, core.Sigmoid, core.SinkSoftmax])
def test_blocked_is_dense_with_other_normalizers(normalizer, monkeypatch):
    monkeypatch.setattr(windows, "_SMALLEST_BLOCK", 2)
    made, masks = parts(core.T5Bias(8, 9), core.SlidingWindow(3), normalizer()), Masks(padding(11), padding(11))
    wanted = attend(*arrays(11), path="p", parts=made, masks=masks, need_weights=True).output
    found = attend(*arrays(11), path="p", parts=made, masks=masks).output
    np.testing.assert_allclose(numbers(found), numbers(wanted), atol=2e-6)


def test_a_bounded_pattern_takes_the_blocked_form(monkeypatch):
    called = []
    blocked = paths.attend_blocks
    monkeypatch.setattr(paths, "attend_blocks", lambda *a: called.append(1) or blocked(*a))
    attend(*arrays(), path="p", parts=parts(pattern=core.SlidingWindow(2)))
    assert called
    attend(*arrays(), path="p", parts=parts(pattern=core.SlidingWindow(2)), need_weights=True)
    assert len(called) == 1


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masks", ["no masks", "queries and keys"])
def test_linear_attention_sums_to_what_its_map_gives(causal, masks, monkeypatch):
    monkeypatch.setattr(linear, "_BLOCK", 4)
    masks = MASKS[masks]()
    wanted = attend_linear(*arrays(), path="p", masks=masks, causal=causal, need_weights=True)
    found = attend_linear(*arrays(), path="p", masks=masks, causal=causal)
    assert found.weights is None
    np.testing.assert_allclose(numbers(found.output), numbers(wanted.output), atol=2e-5)
    if causal:
        assert np.all(np.triu(numbers(wanted.weights), 1) == 0)


@pytest.mark.parametrize("keys", [7, 13])
def test_causal_linear_attention_over_another_sequence(keys):
    wanted = attend_linear(*arrays(keys=keys), path="p", causal=True, need_weights=True).output
    found = attend_linear(*arrays(keys=keys), path="p", causal=True).output
    np.testing.assert_allclose(numbers(found), numbers(wanted), atol=2e-5)
