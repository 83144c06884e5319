from collections import Counter

import numpy as np
import pytest

from attention_zoo.data import Dataset, Split, hold_out, k_folds
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

pytestmark = pytest.mark.once


def split_of(counts):
    labels = [label for label, count in counts.items() for _ in range(count)]
    return Split({"text": [f"{label} {row}" for row, label in enumerate(labels)], "label": labels})


def test_a_split_gives_its_columns_and_its_length():
    split = split_of({"a": 2, "b": 1})
    assert (len(split), split.columns) == (3, ("text", "label"))
    assert split["label"] == ["a", "a", "b"]


def test_an_unknown_column_or_split_names_the_nearest():
    split = split_of({"a": 2})
    with pytest.raises(ZooValueError, match="column 'labels' is unknown; the nearest names are 'label'"):
        split["labels"]
    with pytest.raises(ZooValueError, match="split 'trian' is unknown; the nearest names are 'train'"):
        Dataset("d", {"train": split}, ("a",))["trian"]


@pytest.mark.parametrize("columns", [{}, {"text": ["a"], "label": []}])
def test_columns_must_be_of_one_length(columns):
    with pytest.raises(ZooValueError, match="columns must be"):
        Split(columns)


def test_taking_rows_is_repeatable_and_keeps_their_order():
    split = split_of({"a": 50, "b": 50})
    taken = split.take(20, seed=3)
    assert taken["text"] == split.take(20, seed=3)["text"] != split.take(20, seed=4)["text"]
    assert taken["text"] == sorted(taken["text"], key=split["text"].index)
    assert len(set(taken["text"])) == 20
    assert split.take(1000)["text"] == split["text"]
    with pytest.raises(ZooValueError, match="count"):
        split.take(-1)


def test_holding_out_keeps_the_proportions_and_every_row_once():
    split = split_of({"a": 101, "b": 40, "c": 9, "d": 1})
    rest, held = hold_out(split, 0.2, seed=1)
    count = Counter(held["label"])
    for label, expected in {"a": 20.2, "b": 8, "c": 1.8, "d": 0}.items():
        assert abs(count[label] - expected) <= 1
    assert sorted(rest["text"] + held["text"]) == sorted(split["text"])
    assert abs(len(held) - 30) <= 1
    assert hold_out(split, 0.2, seed=1)[1]["text"] == held["text"] != hold_out(split, 0.2, seed=2)[1]["text"]


@pytest.mark.parametrize("seed", range(20))
def test_no_label_loses_its_last_row(seed):
    rest, _ = hold_out(split_of({"a": 30, "b": 2, "c": 1}), 0.9, seed=seed)
    assert set(rest["label"]) == {"a", "b", "c"}


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_out_of_range_is_an_error(share):
    with pytest.raises(ZooValueError, match="share must be between 0 and 1"):
        hold_out(split_of({"a": 4}), share)


def test_rows_with_several_labels_count_for_the_rarest():
    labels = [["common"]] * 90 + [["common", "rare"]] * 10 + [[]] * 10
    split = Split({"text": [str(row) for row in range(110)], "label": labels})
    _, held = hold_out(split, 0.2)
    assert sum("rare" in row for row in held["label"]) == 2
    assert sum(row == [] for row in held["label"]) == 2


def test_folds_hold_out_every_row_once_in_even_parts():
    split = split_of({"a": 21, "b": 10, "c": 3})
    folds = k_folds(split, 5, seed=0)
    assert sorted(text for _, held in folds for text in held["text"]) == sorted(split["text"])
    assert {len(held) for _, held in folds} == {6, 7}
    for train, held in folds:
        assert len(train) + len(held) == len(split)
        assert Counter(held["label"])["b"] == 2
        assert Counter(held["label"])["a"] in (4, 5)


def test_rows_are_drawn_and_not_counted_off():
    split = split_of({"a": 100})
    _, held = hold_out(split, 0.1, seed=0)
    gaps = np.diff([split["text"].index(text) for text in held["text"]])
    assert len(set(gaps.tolist())) > 3
    assert k_folds(split, 5, seed=0)[0][1]["text"] != k_folds(split, 5, seed=1)[0][1]["text"]
    assert k_folds(split, 5, seed=0)[0][1]["text"] == k_folds(split, 5, seed=0)[0][1]["text"]


@pytest.mark.parametrize("folds", [1, 0, 5, 2.0])
def test_folds_out_of_range_are_an_error(folds):
    with pytest.raises(ZooValueError, match="folds must be"):
        k_folds(split_of({"a": 4}), folds)


def test_the_fingerprint_notices_every_change():
    def fingerprint(texts, labels):
        return Dataset("d", {"train": Split({"text": texts, "label": labels})}, ()).sha256

    prints = {
        fingerprint(["a b", "c"], ["x", "y"]),
        fingerprint(["a", "b c"], ["x", "y"]),
        fingerprint(["a b", "c"], ["y", "x"]),
        fingerprint(["c", "a b"], ["x", "y"]),
        fingerprint(["a b", "c"], [["x", "y"], []]),
        fingerprint(["a b", "c"], [["x"], ["y", ""]]),
    }
    assert len(prints) == 6
    assert fingerprint(["a b", "c"], ["x", "y"]) in prints


def images(count, labels=2):
    pixels = np.arange(count * 12, dtype=np.uint8).reshape(count, 3, 4)
    return Split({"image": pixels, "label": [str(row % labels) for row in range(count)]})


def test_an_array_column_stays_one_array_in_every_part_of_a_split():
    split = images(20)
    whole = split["image"]
    assert isinstance(whole, np.ndarray)
    assert np.shares_memory(split.rows(range(3, 9))["image"], whole)
    assert np.array_equal(split.rows(range(3, 9))["image"], whole[3:9])
    assert np.array_equal(split.rows([7, 2, 2])["image"], whole[[7, 2, 2]])
    assert np.array_equal(split.rows([-1])["image"], whole[[-1]])
    assert split.rows([])["image"].shape == (0, 3, 4)
    with pytest.raises(IndexError):
        split.rows([18, 19, 20])
    taken = split.take(5, seed=1)
    assert taken["image"].shape == (5, 3, 4) and len(taken["label"]) == 5
    rest, held = hold_out(split, 0.2, seed=0)
    joined = np.concatenate([rest["image"], held["image"]])
    assert np.array_equal(np.sort(joined.reshape(20, -1)[:, 0]), np.sort(whole.reshape(20, -1)[:, 0]))
    for train, part in k_folds(split, 4):
        assert len(train["image"]) == 15 and len(part["image"]) == 5
        for row, label in zip(part["image"], part["label"]):
            assert split["label"][int(np.flatnonzero((whole == row).all(axis=(1, 2)))[0])] == label


def test_what_a_model_reads_is_named_by_its_column():
    assert Dataset("d", {"train": images(4)}, ()).raw == "image"
    assert Dataset("d", {"train": split_of({"a": 2})}, ()).raw == "text"
    with pytest.raises(ZooValueError, match="must have a column 'sound', 'image', 'text' or 'history', got label"):
        _ = Dataset("d", {"train": Split({"label": ["a"]})}, ()).sha256


def test_the_fingerprint_of_images_is_that_of_their_content(tmp_path):
    def of(images, labels=("a", "b")):
        return Dataset("d", {"train": Split({"image": images, "label": labels})}, ()).sha256

    pixels = images(2)["image"]
    assert of(pixels) == of(list(pixels)) == of([np.asfortranarray(each) for each in pixels])
    assert (
        len({of(pixels), of(pixels[::-1]), of(pixels, ("b", "a")), of(pixels.reshape(2, 4, 3)), of(pixels[:, :2])}) == 5
    )
    for name, content in (("1.png", b"one"), ("2.png", b"two"), ("3.png", b"one")):
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in ("1.png", "2.png")]
    assert of(paths) == of([b"one", b"two"]) == of([tmp_path / "3.png", paths[1]]) != of([b"one", b"one"])
    with pytest.raises(ZooFileError, match=r"none\.png cannot be read"):
        of([str(tmp_path / "none.png"), paths[0]])
    with pytest.raises(ZooTypeError, match=r"image\[1\] must be an array, bytes or a path, got int"):
        of([paths[0], 3])
