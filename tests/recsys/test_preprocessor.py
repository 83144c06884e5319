"""From histories of the user's own ids to arrays, and from scores to recommendations."""

import json

import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.recsys import (
    Histories,
    HistoryPreprocessor,
    ItemFeatures,
    ItemIndex,
    allowed_numbers,
    recommend,
    similar,
)

pytestmark = pytest.mark.once

ROWS = [["tea", "cup", "tea"], ["pot", "cup", "tea"], ["can"]]  # tea 1, cup 2, pot 3, can 4


def made(**settings):
    return HistoryPreprocessor.learn(ROWS, **{"length": 3, **settings})


def by_number(arrays, limits):
    """Score items by their number, the highest best."""
    return limits.of_scores(np.tile(np.arange(5.0), (len(arrays["items"]), 1)))


def test_the_newest_items_are_padded_on_the_left():
    found = made()([["cup", "new", "tea"], [], ["can", "pot", "cup", "tea"]])
    assert list(found) == ["items"] and found["items"].dtype == np.int32
    assert found["items"].tolist() == [[0, 2, 1], [0, 0, 0], [3, 2, 1]]


def test_padding_and_width_are_settings():
    assert made(padding="right")(["cup"])["items"].tolist() == [[2, 0, 0]]
    assert made(fixed=False)([["cup"], ["pot", "can"]])["items"].tolist() == [[0, 2], [3, 4]]
    assert made(fixed=False)([["cup"] * 9])["items"].shape == (1, 3) and made(fixed=False)([[]])["items"].shape == (
        1,
        1,
    )


def test_a_history_of_100_000_items_is_cut_to_the_newest():
    assert made()([["tea", "cup"] * 50_000])["items"].tolist() == [[2, 1, 2]]


def test_unknown_items_are_counted_and_make_cold_users():
    encoded = made().encode([["x", "tea"], ["x", "y"], [], ["can"]])
    assert encoded.unknown.tolist() == [1, 2, 0, 0] and encoded.cold.tolist() == [False, True, True, False]
    assert list(encoded.numbers) == [[1], [], [], [4]]


@pytest.mark.parametrize("settings", [{}, {"padding": "right", "fixed": False, "length": 7}])
def test_what_is_saved_is_read_back(tmp_path, settings):
    one = made(**settings)
    one.save(tmp_path)
    read = HistoryPreprocessor.load(tmp_path)
    assert (read.length, read.padding, read.fixed) == (one.length, one.padding, one.fixed) and read.features is None
    assert read.index.ids == one.index.ids and read.index.counts.tolist() == one.index.counts.tolist()
    assert read(ROWS)["items"].tolist() == one(ROWS)["items"].tolist()


def test_features_are_saved_with_the_catalogue(tmp_path):
    index = ItemIndex(["tea", "cup"])
    features = ItemFeatures.learn(index, ["tea", "cup"], {"kind": ["drink", "dish"]})
    HistoryPreprocessor(index, features=features).save(tmp_path)
    assert (HistoryPreprocessor.load(tmp_path).features.table == features.table).all()
    with pytest.raises(ZooValueError, match="features must be of the 3 items of the catalogue, got 2"):
        HistoryPreprocessor(ItemIndex(["a", "b", "c"]), features=features)
    (tmp_path / "features.json").unlink()
    with pytest.raises(ZooFileError, match="features"):
        HistoryPreprocessor.load(tmp_path)


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"kind": "text"}, {"length": 0}, {"padding": "up"}, {"other": 1}, {"length": "3"}]
)
def test_a_damaged_preprocessor_is_refused(tmp_path, change):
    made().save(tmp_path)
    path = tmp_path / "preprocessor.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ZooFileError, match="preprocessor"):
        HistoryPreprocessor.load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"), [({"length": 0}, "length must be"), ({"padding": "up"}, "padding must be")]
)
def test_settings_that_cannot_work_are_refused(settings, words):
    with pytest.raises(ZooValueError, match=words):
        made(**settings)


def test_probes_differ_in_size_and_are_the_same_each_time():
    for one, shapes in ((made(length=6), [(2, 6), (3, 6)]), (made(length=6, fixed=False), [(2, 6), (3, 3)])):
        probes = one.probes()
        assert [probe["items"].shape for probe in probes] == shapes
        assert all((probe["items"] >= 0).all() and (probe["items"] <= 4).all() for probe in probes)
        assert all((a["items"] == b["items"]).all() for a, b in zip(probes, one.probes()))


def test_it_says_what_it_reads():
    one = made()
    assert one.noun == "history" and one.example == "tea" and "int32 [batch, steps], 3 wide" in one.usage
    assert one.size(["a"] * 9) == 3 and one.items(["a", "b"])[0] == ["a", "b"]


def test_the_best_that_is_not_seen_is_recommended():
    found = recommend(made(), [["can"], ["tea", "x"]], by_number, k=2)
    assert [one.items for one in found] == [("pot", "cup"), ("can", "pot")]
    assert [one.unknown for one in found] == [0, 1] and not any(one.cold for one in found)
    assert found[1].suggestions[0].score == 4.0 and [each.rank for each in found[1].suggestions] == [1, 2]
    assert found[0].text == "pot" and found[0].others == (("cup", 2.0),)
    assert found[0].record()["recommended"][1] == {"item": "cup", "score": 2.0, "rank": 2}


def test_what_is_seen_may_be_recommended_again():
    assert recommend(made(), ["can"], by_number, k=1, exclude_seen=False)[0].items == ("can",)


def test_seen_is_the_whole_history_not_only_what_is_read():
    found = recommend(made(length=1), ["can", "pot", "tea"], by_number, k=4)[0]
    assert found.items == ("cup",)


def test_cold_users_get_what_is_popular():
    found = recommend(made(), [[], ["x"], ["tea"]], by_number, k=3)
    assert [one.cold for one in found] == [True, True, False] and found[1].unknown == 1
    assert found[0].items == found[1].items == ("tea", "cup", "pot")
    assert found[0].score == pytest.approx(3 / 7)
    assert recommend(made(), [[]], by_number, k=3, allowed=["can", "pot"])[0].items == ("pot", "can")


def test_nothing_left_is_no_suggestion():
    found = recommend(made(), ["tea", "cup", "pot", "can"], by_number, k=2)[0]
    assert found.items == () and found.text == "" and found.score == 0.0 and not found.cold


def test_only_what_is_allowed_is_recommended():
    with pytest.warns(UserWarning, match="1 of 3 allowed items are unknown"):
        found = recommend(made(), [["can"], ["tea"]], by_number, k=3, allowed=["tea", "pot", "x"])
    assert [one.items for one in found] == [("pot", "tea"), ("pot",)]
    with pytest.raises(
        ZooValueError, match="allowed must hold at least one item of the catalogue, got 1 that it lacks"
    ):
        recommend(made(), ["tea"], by_number, k=1, allowed=["x"])
    with pytest.raises(ZooTypeError, match="allowed must be a list"):
        recommend(made(), ["tea"], by_number, k=1, allowed="tea")
    with pytest.raises(ZooTypeError, match=r"allowed\[0\]"):
        allowed_numbers(made().index, [1.5])


def test_batches_change_nothing():
    rows = [list(np.random.default_rng(n).choice(["tea", "cup", "pot", "x"], n % 4)) for n in range(11)]
    sizes = []

    def rank(arrays, limits):
        sizes.append(len(arrays["items"]))
        return limits.of_scores(np.stack([np.roll(np.arange(5.0), row.sum()) for row in arrays["items"]]))

    whole = recommend(made(), rows, rank, k=3)
    assert whole == recommend(made(), rows, rank, k=3, batch_size=2) and max(sizes[1:]) == 2
    with pytest.raises(ZooValueError, match="batch_size"):
        recommend(made(), rows, rank, k=3, batch_size=0)


def test_more_than_the_catalogue_is_refused():
    with pytest.raises(ZooValueError, match="k must be at most the 4 items of the catalogue, got 5"):
        recommend(made(), ["tea"], by_number, k=5)


def test_similar_items_are_those_in_the_same_direction():
    vectors = np.array([[0, 0], [1, 0], [5, 1], [0, 3], [-1, 0]], np.float32)
    found = similar(made().index, vectors, "tea", 3)
    assert [each.item for each in found] == ["cup", "pot", "can"] and found[2].score == pytest.approx(-1)
    assert found[0].score == pytest.approx(5 / np.sqrt(26))
    with pytest.raises(ZooValueError, match="item 'te' is unknown"):
        similar(made().index, vectors, "te")
    with pytest.raises(ZooValueError, match="k must be under the 4 items"):
        similar(made().index, vectors, "tea", 4)


def test_histories_of_a_data_set_are_taken_as_they_are():
    numbers = Histories.of([[10, 20], [20]])
    assert HistoryPreprocessor.learn(numbers, length=2)(numbers)["items"].tolist() == [[1, 2], [0, 2]]
