"""Histories: one table for both ends, states that padding does not change, rankers that begin where they are put."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks import (
    AskNext,
    CandidateScores,
    FieldRanker,
    HistoryPosition,
    ItemTable,
    RecurrentHistory,
    StatesAt,
    TargetRanker,
    TransformerHistory,
    UpTo,
)
from attention_zoo.errors import ZooValueError

WIDTH = 8
ENCODERS = {
    "causal": lambda **options: TransformerHistory(2, 2, 16, length=6, **options),
    "rotary": lambda **options: TransformerHistory(2, 2, 16, "rotary", **options),
    "both_ways": lambda **options: TransformerHistory(2, 2, 16, causal=False, length=6, norm="post", **options),
    "recurrent": lambda **options: RecurrentHistory(12, **options),
}
RANKERS = {
    "din": lambda: TargetRanker({"name": "din", "units": [6]}, 4),
    "nais": lambda: TargetRanker("nais", 4),
    "auto_int": lambda: FieldRanker("auto_int", 4),
    "afm": lambda: FieldRanker("afm", 4),
    "senet_fields": lambda: FieldRanker("senet_fields", 4),
}


def array(tensor):
    return ops.convert_to_numpy(tensor)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_scores_are_products_with_the_rows_that_vectors_come_from():
    table, states = ItemTable(5, WIDTH), drawn(3, WIDTH)
    numbers = np.array([[1, 5, 6], [0, 2, 3]], "int32")
    vectors, rows = array(table(numbers)), array(table(numbers, mode="rows"))
    np.testing.assert_allclose(vectors, rows * WIDTH**0.5, rtol=1e-5)
    np.testing.assert_allclose(rows, array(table.table)[numbers])
    scores, choices = array(table(states, mode="scores")), array(table(states, mode="choices"))
    np.testing.assert_allclose(scores, states @ array(table.table)[:6].T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(choices, scores[:, 1:], rtol=1e-5, atol=1e-7)
    assert np.abs(scores).max() < 0.5
    with pytest.raises(ZooValueError, match="mode of an item table"):
        table(numbers, mode="vector")


def test_what_is_known_of_an_item_is_part_of_its_vector():
    table = ItemTable(4, WIDTH, {"brand": 3, "kind": 2})
    numbers = np.array([0, 1, 4], "int32")
    table(numbers)
    known = np.array([[0, 0], [1, 1], [2, 0], [1, 0], [2, 1], [0, 0]])
    table.describe(known)
    fields = array(table(numbers, mode="fields"))
    assert fields.shape == (3, 3, WIDTH)
    np.testing.assert_allclose(fields.sum(axis=1), array(table(numbers)), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(fields[2, 1], array(table.values[0])[2] * WIDTH**0.5, rtol=1e-5)
    scores = array(table(drawn(2, WIDTH), mode="scores"))
    np.testing.assert_allclose(scores[:, 4], drawn(2, WIDTH) @ (fields[2].sum(axis=0) / WIDTH**0.5), rtol=1e-4)


def test_candidates_are_scored_as_the_whole_table_scores_them():
    table, states = ItemTable(9, WIDTH), drawn(3, WIDTH)
    right, others = np.array([1, 4, 9], "int32"), np.array([2, 3, 5, 7], "int32")
    wanted = array(table(states, mode="scores"))
    found = array(CandidateScores()(states, table(right), table(others)))
    np.testing.assert_allclose(found[:, 0], wanted[np.arange(3), right], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[:, 1:], wanted[:, others], rtol=1e-4, atol=1e-6)
    own = np.stack([others, others[::-1], others]).astype("int32")
    found = array(CandidateScores()(states, table(right), table(own)))
    np.testing.assert_allclose(found[:, 1:], np.take_along_axis(wanted, own, 1), rtol=1e-4, atol=1e-6)


def test_places_are_counted_back_from_the_newest():
    layer = HistoryPosition(3)
    nothing = np.zeros((1, 5, WIDTH), "float32")
    found = array(layer(nothing))[0]
    np.testing.assert_allclose(found, array(layer.table)[[2, 2, 2, 1, 0]])
    np.testing.assert_allclose(array(layer(nothing[:, :2]))[0], array(layer.table)[[1, 0]])


def test_what_is_asked_is_taken_out():
    states = drawn(2, 3, WIDTH)
    np.testing.assert_allclose(array(StatesAt()(states, np.array([5, 0], "int32"))), states[[1, 0], [2, 0]])
    np.testing.assert_array_equal(array(AskNext(9)(np.array([[1, 2]], "int32"))), [[1, 2, 9]])
    mask = np.array([[0, 1, 1], [1, 1, 1]], bool)
    np.testing.assert_array_equal(array(UpTo()(mask, np.array([1, 5], "int32"))), [[0, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize("kind", list(ENCODERS))
def test_padding_at_the_left_changes_nothing(kind):
    layer, inputs = ENCODERS[kind](), drawn(2, 4, WIDTH)
    wanted = array(layer(inputs, mask=np.ones((2, 4), bool)))
    padded = np.concatenate([drawn(2, 3, WIDTH, seed=1), inputs], axis=1)
    mask = np.broadcast_to(np.arange(7) >= 3, (2, 7))
    np.testing.assert_allclose(array(layer(padded, mask=mask))[:, 3:], wanted, atol=1e-5)


@pytest.mark.parametrize("kind", list(ENCODERS))
def test_what_comes_later_is_seen_by_those_who_look_both_ways(kind):
    layer, inputs = ENCODERS[kind](), drawn(2, 5, WIDTH)
    mask = np.ones((2, 5), bool)
    before = array(layer(inputs, mask=mask))
    inputs[:, 3:] = drawn(2, 2, WIDTH, seed=1)
    after = array(layer(inputs, mask=mask))
    same = np.allclose(before[:, :3], after[:, :3], atol=1e-6)
    assert same == (kind != "both_ways") and not np.allclose(before[:, 3:], after[:, 3:], atol=1e-2)


@pytest.mark.parametrize("kind", list(ENCODERS))
def test_encoders_are_saved_and_read(kind, tmp_path):
    vectors, mask = keras.Input((None, WIDTH), name="vectors"), keras.Input((None,), dtype="bool", name="mask")
    model = keras.Model([vectors, mask], ENCODERS[kind](dropout=0.1)(vectors, mask=mask))
    model.save(tmp_path / "model.keras")
    inputs = [drawn(2, 4, WIDTH), np.ones((2, 4), bool)]
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array(again(inputs)), array(model(inputs)), atol=1e-6)


@pytest.mark.parametrize(
    ("attention", "words"),
    [("axial", "made causal"), ("linformer", "use_causal_mask"), ("fourier", "count places from the left")],
)
def test_an_attention_that_cannot_read_histories_is_refused(attention, words):
    for layer in (TransformerHistory(1, 2, 16, attention), RecurrentHistory(8, attention, 2)):
        with pytest.raises(ZooValueError, match=words):
            layer(drawn(1, 4, WIDTH))
    with pytest.raises(ZooValueError, match="units must be a multiple"):
        RecurrentHistory(9, num_heads=2)


def ranked(layer, candidates, state, keys, mask):
    return array(layer(candidates, state, keys, mask))


@pytest.mark.parametrize("kind", list(RANKERS))
def test_a_new_ranker_leaves_the_order_as_it_was(kind):
    candidates, state = drawn(2, 4, 2, WIDTH), drawn(2, WIDTH, seed=1)
    found = ranked(RANKERS[kind](), candidates, state, drawn(2, 5, WIDTH, seed=2), np.ones((2, 5), bool))
    wanted = np.einsum("bcfw,bw->bc", candidates, state) / WIDTH**0.5
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", list(RANKERS))
def test_a_ranker_reads_the_history_and_no_padding_and_each_candidate_by_itself(kind):
    layer = RANKERS[kind]()
    candidates, state, keys = drawn(2, 4, 1, WIDTH), drawn(2, WIDTH, seed=1), drawn(2, 5, WIDTH, seed=2)
    mask = np.broadcast_to(np.arange(5) >= 2, (2, 5))
    ranked(layer, candidates, state, keys, mask)
    layer.score.kernel.assign(drawn(4, 1, seed=3))
    wanted = ranked(layer, candidates, state, keys, mask)
    other = keys.copy()
    other[:, :2] = drawn(2, 2, WIDTH, seed=4)
    np.testing.assert_allclose(ranked(layer, candidates, state, other, mask), wanted, atol=1e-5)
    np.testing.assert_allclose(ranked(layer, candidates[:, 1:3], state, keys, mask), wanted[:, 1:3], atol=1e-5)
    np.testing.assert_allclose(ranked(layer, candidates, state, keys[:, 2:], mask[:, 2:]), wanted, atol=1e-5)
    other = keys.copy()
    other[:, 3] = 2.0 * drawn(2, WIDTH, seed=5)
    assert np.abs(ranked(layer, candidates, state, other, mask) - wanted).max() > 1e-3
    empty = ranked(layer, candidates, state, keys, np.zeros((2, 5), bool))
    assert np.isfinite(empty).all()


def test_an_attention_that_does_not_rank_is_refused():
    with pytest.raises(ZooValueError, match="attention of the ranker 'auto_int'"):
        TargetRanker("auto_int")
    with pytest.raises(ZooValueError, match="attention of the ranker 'din'"):
        FieldRanker("din")
