"""Ids stay as they are written, histories are cut without a copy, and what is known of items is numbered."""

import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.recsys import Histories, ItemFeatures, ItemIndex, as_histories, parse_history
from attention_zoo.recsys.features import encode

pytestmark = pytest.mark.once

ROWS = [["tea", "cup", "tea"], [], ["pot", "cup"]]


def test_items_are_numbered_as_they_first_occur_and_counted():
    index = ItemIndex.learn(as_histories(ROWS))
    assert index.ids == ("tea", "cup", "pot") and len(index) == 3
    assert index.counts.tolist() == [0, 2, 2, 1] and index.popular.tolist() == [1, 2, 3]
    assert index.number("pot") == 3 and index.id(3) == "pot" and "cup" in index and "can" not in index


def test_a_catalogue_comes_first_and_may_hold_what_nobody_chose():
    index = ItemIndex.learn(as_histories(ROWS), ["can", "pot"])
    assert index.ids == ("can", "pot", "tea", "cup") and index.counts.tolist() == [0, 0, 1, 2, 2]
    assert index.popular.tolist() == [3, 4, 2, 1]


def test_unknown_ids_are_skipped_and_counted():
    index = ItemIndex(["tea", "cup"])
    numbers, unknown = index.numbers(as_histories([["x", "tea", "y", "cup"], ["x"], [], ["cup"]]))
    assert list(numbers) == [[1, 2], [], [], [2]] and unknown.tolist() == [2, 1, 0, 0]


def test_lookups_in_chunks_are_those_of_all_at_once(monkeypatch):
    rows = [np.random.default_rng(n).integers(0, 9, n).tolist() for n in range(9)]
    histories = as_histories(rows)
    index = ItemIndex(range(1, 8))
    whole = index.numbers(histories)
    monkeypatch.setattr("attention_zoo.recsys.ids.CHUNK", 3)
    parts = index.numbers(histories)
    assert list(whole[0]) == list(parts[0]) == [[one for one in row if 1 <= one <= 7] for row in rows]
    assert whole[1].tolist() == parts[1].tolist() == [sum(not 1 <= one <= 7 for one in row) for row in rows]
    assert ItemIndex.learn(histories).ids == tuple(dict.fromkeys(one for row in rows for one in row))


def test_a_number_and_its_writing_are_one_id_where_no_other_kind_is_about():
    numbers, words, mixed = ItemIndex([7, 12]), ItemIndex(["7", "007"]), ItemIndex([7, "7"])
    assert numbers.lookup(["7", 12, "007", "x", "-7", "7.0", "²"]).tolist() == [1, 2, 0, 0, 0, 0, 0]
    assert words.lookup([7, "007", 8]).tolist() == [1, 2, 0]
    assert mixed.lookup([7, "7"]).tolist() == [1, 2]
    assert 7.0 not in numbers and True not in ItemIndex([1, 2]) and 7 in numbers


@pytest.mark.parametrize("value", [3.0, np.float64(3), float("nan")])
def test_an_id_that_is_a_float_is_refused_and_named(value):
    with pytest.raises(ZooTypeError, match=r"history\[1\]\[1\] must be the id of an item, .*float.*as text"):
        as_histories([[1], [2, value]])
    with pytest.raises(ZooTypeError, match=r"history\[1\] must be the id"):
        as_histories([1, value])
    with pytest.raises(ZooTypeError, match="float"):
        as_histories([np.array([1.0, 2.0])])


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("tea", ZooTypeError, "must be lists of ids"),
        (5, ZooTypeError, "must be lists of ids"),
        ({"history": ["a"]}, ZooTypeError, "must be lists of ids"),
        ([["a"], {"b"}], ZooTypeError, r"history\[1\] must be a list"),
        ([], ZooValueError, "must be at least one, got none; write"),
        ([["a"], "b"], ZooTypeError, r"history\[1\] must be a list"),
        ([["a", " "]], ZooValueError, r"history\[0\]\[1\] must be the id of an item, got a blank text"),
        ([[True]], ZooTypeError, "bool"),
        ([[None]], ZooTypeError, "NoneType"),
    ],
)
def test_what_is_no_history_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        as_histories(given)


def test_one_history_and_many_are_told_apart():
    assert list(as_histories(["a", 3])) == [["a", 3]] == list(as_histories([["a", 3]]))
    assert list(as_histories([[]])) == [[]] and list(as_histories(np.array([4, 5]))) == [[4, 5]]
    assert list(as_histories(np.array([[4, 5], [6, 7]]))) == [[4, 5], [6, 7]]
    assert list(as_histories(Histories.of([[1], [2, 3]]))) == [[1], [2, 3]]
    assert as_histories(np.array(["a", "b"]))[0] == ["a", "b"]


def test_a_line_of_text_is_a_history():
    assert parse_history('["a b", 3]') == ["a b", 3] and parse_history("a, b c ,d") == ["a", "b c", "d"]
    assert parse_history(" a  b ") == ["a", "b"] and parse_history("") == []
    for wrong, words in (("[1, 2", "none"), ("[1.5]", "float"), ("[[1]]", "list")):
        with pytest.raises((ZooTypeError, ZooValueError), match=words):
            parse_history(wrong)


def test_an_index_is_read_back_with_its_kinds_of_ids(tmp_path):
    index = ItemIndex(["ä", 3, "3"], [5, 0, 1])
    index.save(tmp_path / "items.json")
    read = ItemIndex.load(tmp_path / "items.json")
    assert read.ids == ("ä", 3, "3") and read.counts.tolist() == [0, 5, 0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"format": 2}',
        '{"format": 1, "ids": ["a"], "counts": [1, 2]}',
        '{"format": 1, "ids": ["a", "a"], "counts": [1, 2]}',
        '{"format": 1, "ids": [1.5], "counts": [1]}',
        '{"format": 1, "ids": ["a"], "counts": [-1]}',
        '{"format": 1, "ids": ["a"], "counts": ["x"]}',
        '{"format": 1, "ids": 3, "counts": [1]}',
    ],
)
def test_a_damaged_index_is_refused(tmp_path, text):
    (tmp_path / "items.json").write_text(text)
    with pytest.raises(ZooFileError, match=r"items\.json"):
        ItemIndex.load(tmp_path / "items.json")


def test_the_nearest_item_is_named():
    with pytest.raises(ZooValueError, match="item 'te' is unknown; the nearest names are 'tea'"):
        ItemIndex(["cup", "tea"]).number("te")
    for wrong in (0, 3, -1):
        with pytest.raises(ZooValueError, match="number must be from 1 to 2"):
            ItemIndex(["cup", "tea"]).id(wrong)


def test_cutting_and_choosing_copy_nothing():
    histories = Histories.of([[1, 2, 3], [], [4, 5], [6]])
    assert [*histories] == [[1, 2, 3], [], [4, 5], [6]] and histories.lengths.tolist() == [3, 0, 2, 1]
    for made in (histories[1:3], histories.rows([3, 0]), histories.newest(2), histories.without_last(1)):
        assert made.values is histories.values
    assert [*histories.rows([3, 0])] == [[6], [1, 2, 3]] and [*histories[1:3]] == [[], [4, 5]]
    assert [*histories.newest(2)] == [[2, 3], [], [4, 5], [6]]
    assert [*histories.without_last(2)] == [[1], [], [], []]
    assert [*histories.without_last(np.array([0, 5, 1, 0]))] == [[1, 2, 3], [], [4], [6]]
    assert histories.rows([2, 0]).flat().tolist() == [4, 5, 1, 2, 3] and histories.owners().tolist() == [
        0,
        0,
        0,
        2,
        2,
        3,
    ]
    assert [one.tolist() for one in Histories.of([[3, 1, 3], []]).seen()] == [[1, 3], []]


def test_padding_stands_on_its_side():
    histories = Histories.of([[1, 2, 3], [], [4]])
    assert histories.padded(2).tolist() == [[2, 3], [0, 0], [0, 4]]
    assert histories.padded(4).tolist() == [[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 4]]
    assert histories.padded(2, "right").tolist() == [[2, 3], [0, 0], [4, 0]]
    assert histories.padded(4, "right").tolist() == [[1, 2, 3, 0], [0, 0, 0, 0], [4, 0, 0, 0]]
    assert histories.padded(3).dtype == np.int32


def test_histories_on_disk_are_read_as_they_are_needed(tmp_path):
    histories = Histories.of([[1, 2, 3], [], [4, 5]])
    histories.rows([2, 0]).save(tmp_path / "a")
    read = Histories.open(tmp_path / "a")
    assert isinstance(read.values, np.memmap) and [*read] == [[4, 5], [1, 2, 3]]
    assert read.padded(2).tolist() == [[4, 5], [2, 3]] and isinstance(read.newest(1).values, np.memmap)
    with pytest.raises(ZooValueError, match="whole numbers to be written"):
        Histories.of([["a"]]).save(tmp_path / "b")
    (tmp_path / "a" / "offset.npy").write_bytes(b"x")
    with pytest.raises(ZooFileError, match="holds no histories"):
        Histories.open(tmp_path / "a")


def test_bounds_that_do_not_fit_are_refused():
    for starts, stops in (([0], [4]), ([2], [1]), ([-1], [1]), ([0, 1], [1])):
        with pytest.raises(ZooValueError, match=r"starts and stops|a start and a stop"):
            Histories(np.arange(3), np.array(starts), np.array(stops))


def test_words_and_numbers_of_items_become_fields(tmp_path):
    index = ItemIndex([f"i{n}" for n in range(40)])
    ids = [*index.ids[:30], "new"]
    brands = ["x" if n % 3 else "y" for n in range(29)] + [None, "z"]
    prices = [str(n) if n else " " for n in range(30)] + [5]
    features = ItemFeatures.learn(index, ids, {"brand": brands, "price": prices})
    assert features.names == ("brand", "price") and features.table.shape == (41, 2)
    assert features.table[0].tolist() == [0, 0] and features.table[1].tolist() == [2, 0]
    assert features.table[2, 0] == 1 and features.table[30].tolist() == [0, 10] and not features.table[31:].any()
    assert np.bincount(features.table[2:31, 1]).tolist()[1:] == pytest.approx([3] * 10, abs=1)
    assert features.sizes == (5, 11) and (features.table.max(axis=0) < features.sizes).all()
    features.save(tmp_path)
    read = ItemFeatures.load(tmp_path)
    assert read.fields == features.fields and (read.table == features.table).all()
    (tmp_path / "features.npy").write_bytes(b"")
    with pytest.raises(ZooFileError, match="damaged"):
        ItemFeatures.load(tmp_path)


def test_a_number_at_a_bound_belongs_above_it():
    assert encode({"bounds": [1.0, 2.0]}, [0.5, 1, "2", None, "", "x", 99]).tolist() == [1, 2, 3, 0, 0, 0, 3]
    assert encode({"words": ["b", "a"]}, ["a", " b", "c", None]).tolist() == [2, 1, 3, 0]


def test_fields_that_cannot_work_are_refused():
    index = ItemIndex(["a", "b"])
    with pytest.raises(ZooValueError, match="features 'x' must be 2, one for each item, got 1"):
        ItemFeatures.learn(index, ["a", "b"], {"x": [1]})
    with pytest.raises(ZooValueError, match="at least one feature"):
        ItemFeatures.learn(index, ["a", "b"], {})
    with pytest.raises(ZooValueError, match="under the size"):
        ItemFeatures({"x": {"words": ["a"]}}, np.full((3, 1), 3))
