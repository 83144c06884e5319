"""Amazon Beauty in small, and as it is where `ATTENTION_ZOO_DATA` has it; how histories are split."""

import dataclasses
import hashlib
import os

import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.data import recsys_sequences, registry
from attention_zoo.data.real_set import RemoteFile
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.recsys import Evaluation, Histories, ItemIndex, ItemKNN, Markov, Popularity

pytestmark = pytest.mark.once

REAL = os.environ.get("ATTENTION_ZOO_DATA", "")  # read before the fixture that takes it away
NAME = os.path.join("recsys_sequences", recsys_sequences.FILE)
ROWS = [[1, 2, 3, 4], [5, 1], [2, 2, 6]]
PUBLISHED = b"1 1 2 3 4\n2 5 1\n3 2 2 6\n"


def small(folder, **change):
    items = np.array([one for row in ROWS for one in row], np.int32)
    arrays = {"items": items, "offset": np.array([0, 4, 6, 9]), **change}
    np.savez(folder / recsys_sequences.FILE, **{name: one for name, one in arrays.items() if one is not None})
    return recsys_sequences.Sequences(recsys_sequences.FILE, recsys_sequences.PUBLISHED)


def test_the_last_item_is_the_test_and_the_one_before_it_validation(tmp_path):
    splits = small(tmp_path).read(tmp_path)
    assert list(splits) == ["train", "val", "test", "items"]
    assert splits["train"].columns == ("user", "history") and splits["train"]["user"] == [1, 2, 3]
    assert list(splits["train"]["history"]) == [[1, 2], [5, 1], [2]]
    assert splits["val"].columns == ("user", "history", "target") and splits["val"]["user"] == [1, 3]
    assert list(splits["val"]["history"]) == [[1, 2], [2]] and splits["val"]["target"] == [3, 2]
    assert list(splits["test"]["history"]) == [[1, 2, 3], [2, 2]] and splits["test"]["target"] == [4, 6]
    assert splits["items"]["item"] == [1, 2, 3, 4, 5, 6]


def test_rows_of_histories_are_chosen_without_a_copy(tmp_path):
    train = small(tmp_path).read(tmp_path)["train"]
    some = train.rows([2, 0])
    assert list(some["history"]) == [[2], [1, 2]] and some["user"] == [3, 1]
    assert some["history"].values is train["history"].values and isinstance(train.take(2)["history"], Histories)


@pytest.mark.parametrize(
    "change",
    [
        {"offset": None},
        {"offset": np.array([0, 4, 99])},
        {"offset": np.array([0.5, 4])},
        {"items": np.ones((2, 2), int)},
    ],
)
def test_damaged_arrays_are_refused(tmp_path, change):
    with pytest.raises(ZooFileError, match=r"5core_s3rec\.npz is damaged"):
        small(tmp_path, **change).read(tmp_path)


def test_changed_arrays_are_refused(tmp_path):
    form = dataclasses.replace(small(tmp_path), sums=recsys_sequences.SET.form.sums)
    with pytest.raises(ZooFileError, match="the sha256 of its arrays must be 92a7fa56"):
        form.read(tmp_path)


def test_the_published_lines_become_the_same_arrays(site, monkeypatch, tmp_path):
    monkeypatch.delenv("ATTENTION_ZOO_DATA", raising=False)
    site.files["/Beauty.txt"] = PUBLISHED
    remote = RemoteFile("Beauty.txt", f"{site.address}/Beauty.txt", hashlib.sha256(PUBLISHED).hexdigest())
    form = small(tmp_path)
    toy = dataclasses.replace(recsys_sequences.SET, name="toy", form=form, remote=(remote,))
    monkeypatch.setitem(registry.REAL_SETS, "toy", toy)
    dataset = data.load("toy")
    assert list(dataset["test"]["history"]) == [[1, 2, 3], [2, 2]] and len(site.requests) == 1
    assert not dataset.permissive and dataset.raw == "history" and len(dataset.sha256) == 64
    data.load("toy")
    assert len(site.requests) == 1
    bad = tmp_path / "Beauty.txt"
    bad.write_bytes(b"1 2 x\n")
    with pytest.raises(ZooFileError, match="a line must be whole numbers"):
        form.write(tmp_path, {"Beauty.txt": bad})


def test_the_user_s_own_folder_has_another_name(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path))
    (tmp_path / "recsys_sequences").mkdir()
    with pytest.raises(
        ZooFileError, match=r"must hold all of amazon_beauty; amazon_beauty_5core_s3rec\.npz is missing"
    ):
        data.load("amazon_beauty")
    small(tmp_path / "recsys_sequences")
    with pytest.raises(ZooFileError, match="damaged or changed"):
        data.load("amazon_beauty")


def timed():
    """Two users and one who comes late; their times rise from 0 to 19."""
    times = {"a": [0, 1, 2, 3, 10, 16, 18], "b": [4, 5, 6, 7, 8, 9, 11, 17, 19], "c": [12, 13, 14, 15]}
    values = np.concatenate([np.array(one, float) for one in times.values()])
    offsets = np.cumsum([0, *map(len, times.values())])
    items = Histories.cut(values.astype(np.int64) + 100, offsets)
    return list(times), items, Histories.cut(values, offsets)


def test_a_split_by_time_learns_nothing_from_later():
    splits = data.split_by_time(*timed(), held=0.2)  # at 12 and 16
    assert {name: split["user"] for name, split in splits.items()} == {
        "train": ["a", "b"],
        "val": ["c"],
        "test": ["a", "b"],
    }
    assert max(splits["train"]["time"].flat()) < 12
    assert splits["val"]["history"][0] == [] and splits["val"]["target"] == [112]
    assert splits["test"]["target"] == [116, 117] and splits["test"]["history"][0] == [100, 101, 102, 103, 110]
    assert [len(row) for row in splits["test"]["time"]] == [len(row) for row in splits["test"]["history"]]


def test_a_split_by_time_that_cannot_be_is_refused():
    users, items, times = timed()
    for held in (0.0, 0.5, -1):
        with pytest.raises(ZooValueError, match="held"):
            data.split_by_time(users, items, times, held=held)
    same = Histories(np.zeros(len(times.values)), times.starts, times.stops)
    with pytest.raises(ZooValueError, match="leaves no user for"):
        data.split_by_time(users, items, same)


def test_synthetic_interactions_are_drawn_by_their_seed():
    one, same, other = (data.synthetic_interactions(users=50, items=24, seed=seed) for seed in (0, 0, 1))
    assert one.sha256 == same.sha256 != other.sha256 and one.name == "synthetic_interactions"
    assert one.permissive and "synthetic" in one.source and len(one["items"]) == 24
    assert one["items"]["item"][0] == "book-001" and one["items"]["group"][0] == "book"
    assert all(np.diff(row).min() >= 0 for row in one["train"]["time"])
    for wrong in ({"users": 19}, {"items": 25}, {"items": 18}):
        with pytest.raises(ZooValueError, match=r"users must|items must"):
            data.synthetic_interactions(**wrong)


def recall(dataset, kind):
    index = ItemIndex.learn(dataset["train"]["history"], dataset["items"]["item"])
    model = kind.learn(index.numbers(dataset["train"]["history"])[0], len(index))
    evaluation = Evaluation(index.counts, ks=(10,))
    numbers, _ = index.numbers(dataset["test"]["history"])
    targets = index.lookup(dataset["test"]["target"])
    for start in range(0, len(numbers), 1024):
        part = numbers[start : start + 1024]
        evaluation.add(model.scores(part), targets[start : start + 1024], part.seen())
    return evaluation.result()["recall@10"]


def test_what_is_synthetic_can_be_learned():
    dataset = data.synthetic_interactions()
    popular, markov, neighbours = (recall(dataset, kind) for kind in (Popularity, Markov, ItemKNN))
    assert markov > 2 * popular and neighbours > 2 * popular


@pytest.mark.skipif(
    not REAL or not os.path.isfile(os.path.join(REAL, NAME)), reason=f"ATTENTION_ZOO_DATA has no {NAME}"
)
def test_beauty_as_published(monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", REAL)
    dataset = data.load("amazon_beauty")
    assert len(dataset["train"]) == len(dataset["test"]) == 22_363 and len(dataset["items"]) == 12_101
    assert int(dataset["test"]["history"].lengths.sum()) == 198_502 - 22_363
    assert len(set(dataset["train"]["history"].flat().tolist())) == 12_068
    assert recall(dataset, Popularity) == pytest.approx(0.01154, abs=0.00001)
