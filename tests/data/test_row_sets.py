"""RAVDESS and CMU-MOSI in small, and as they are where `ATTENTION_ZOO_DATA` has them."""

import os
from collections import Counter

import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.audio import info, read_sound
from attention_zoo.data import cmu_mosi, npz, packed, ravdess, zips
from attention_zoo.errors import ZooFileError, ZooValueError

pytestmark = pytest.mark.once

REAL = os.environ.get("ATTENTION_ZOO_DATA", "")  # read before the fixture that takes it away


def real(name):
    return pytest.mark.skipif(
        not os.path.isdir(os.path.join(REAL, name)) or not REAL, reason=f"ATTENTION_ZOO_DATA has no {name}"
    )


def clips(folder, rows=None):
    """Write two clips of each actor in the form of RAVDESS."""
    rows = rows or [
        (f"c{actor}-{number}", str(actor), ("female", "male")[actor % 2], emotion, intensity, "1", "1", "9", "Kids")
        for actor in range(1, 25)
        for number, (emotion, intensity) in enumerate((("neutral", "1"), ("angry", "2")))
    ]
    packed.write(folder / ravdess.TABLE, ravdess.COLUMNS, rows)
    units = np.arange(len(rows) * 3, dtype=np.float32).reshape(-1, 3)
    np.savez(folder / ravdess.FACES, utt_id=np.array([row[0] for row in rows]), au=units, au_names=np.array(["a"] * 3))
    zips.write_zip(folder / ravdess.SOUNDS, [(f"{row[0]}.opus", row[0].encode()) for row in reversed(rows)])
    return rows


def test_the_clips_of_ravdess_are_rows_of_all_three(tmp_path):
    form = ravdess.Clips()
    assert form.missing(tmp_path) == ravdess.TABLE
    rows = clips(tmp_path)
    assert form.missing(tmp_path) is None
    train = form.read(tmp_path)["train"]
    assert train.columns[:4] == ("image", "audio", "text", "label") and len(train) == 48
    assert train["audio"] == [row[0].encode() for row in rows] == [clip.encode() for clip in train["clip"]]
    assert train["image"].shape == (48, 3) and train["image"][5].tolist() == [15, 16, 17]
    assert train["label"][:2] == ["neutral", "angry"] and train["intensity"][:2] == ["normal", "strong"]
    assert train["sex"][:4] == ["male", "male", "female", "female"] and train["actor"][-1] == "24"


def test_the_folds_hold_every_actor_once_and_as_many_men_as_women(tmp_path):
    actors = [actor for fold in ravdess.FOLDS for actor in fold]
    assert sorted(actors) == list(range(1, 25)) and {len(fold) for fold in ravdess.FOLDS} == {4, 5}
    assert all(abs(sum(1 if actor % 2 else -1 for actor in fold)) <= 1 for fold in ravdess.FOLDS)
    clips(tmp_path)
    dataset = data.Dataset("ravdess", ravdess.Clips().read(tmp_path), ravdess.LABELS)
    tested = []
    for number in range(5):
        parts = ravdess.fold(dataset, number)
        heard = [{int(actor) for actor in part["actor"]} for part in parts]
        assert heard[2] == set(ravdess.FOLDS[number]) and heard[1] == set(ravdess.FOLDS[(number + 1) % 5])
        assert set.union(*heard) == set(range(1, 25)) and sum(map(len, heard)) == 24
        assert sum(map(len, parts)) == 48
        tested += parts[2]["clip"]
    assert sorted(tested) == sorted(dataset["train"]["clip"])
    for wrong in (5, -1, 0.0):
        with pytest.raises(ZooValueError, match="number must be"):
            ravdess.fold(dataset, wrong)


def test_damaged_clips_are_named(tmp_path):
    rows = clips(tmp_path)
    form = ravdess.Clips({ravdess.FACES: "00" * 32})
    with pytest.raises(ZooFileError, match=r"ravdess_face_au\.npz is damaged or changed: its sha256 must be 0000"):
        form.read(tmp_path)
    form = ravdess.Clips()
    zips.write_zip(tmp_path / ravdess.SOUNDS, [("other.opus", b"")])
    with pytest.raises(ZooFileError, match=r"must hold c1-0\.opus; it is missing"):
        form.read(tmp_path)
    clips(tmp_path, [(*rows[0][:3], "bored", *rows[0][4:])])
    with pytest.raises(ZooFileError, match="'bored' is no emotion and no intensity"):
        form.read(tmp_path)
    np.savez(tmp_path / ravdess.FACES, utt_id=np.array(["c2-0"]), au=np.zeros((1, 3)))
    with pytest.raises(ZooFileError, match="one row of action units for each row"):
        form.read(tmp_path)
    np.savez(tmp_path / ravdess.FACES, utt_id=np.array([{}], object), au=np.zeros((1, 3)))
    with pytest.raises(ZooFileError, match=r"ravdess_face_au\.npz is damaged or cannot be read"):
        form.read(tmp_path)
    with pytest.raises(ZooFileError, match="cannot be filled"):
        form.write(tmp_path, {})


def utterances(folder, **changes):
    """Write four videos of training and one of test in the form of the features of CMU-MOSI."""
    ids = {"train": ["b_10", "b_2", "a_1", "c_x_3", "c_x_1", "d_1"], "test": ["z_1", "z_2"]}
    arrays = {}
    for split, names in ids.items():
        count = len(names)
        for name, width in (("video", 3), ("audio", 2), ("text", 4)):
            arrays[f"{split}_{name}"] = np.arange(count, dtype=np.float32)[:, None] + np.zeros(width, np.float32)
        arrays |= {f"{split}_label": np.arange(count, dtype=np.int8) % 2, f"{split}_ids": np.array(names)}
        arrays |= {f"{split}_transcripts": np.array([f"said {name}" for name in names])}
    np.savez(folder / cmu_mosi.FILE, **{**arrays, **changes})


def test_utterances_of_a_video_follow_one_another_and_the_last_videos_are_held_out(tmp_path):
    form = cmu_mosi.Utterances(held=2)
    assert form.missing(tmp_path) == cmu_mosi.FILE
    utterances(tmp_path)
    splits = form.read(tmp_path)
    assert {name: split["transcript"] for name, split in splits.items()} == {
        "train": ["said a_1", "said b_2", "said b_10"],
        "val": ["said c_x_1", "said c_x_3", "said d_1"],
        "test": ["said z_1", "said z_2"],
    }
    train = splits["train"]
    assert train["conversation"] == ["a", "b", "b"] and train["label"] == ["negative", "positive", "negative"]
    assert [train[name].shape for name in ("image", "audio", "text")] == [(3, 3), (3, 2), (3, 4)]
    assert all(train[name][:, 0].tolist() == [2, 1, 0] for name in ("image", "audio", "text"))


def test_damaged_features_are_named(tmp_path):
    form = cmu_mosi.Utterances(2)
    utterances(tmp_path, train_label=np.array([0, 1, 2, 0, 0, 0]))
    with pytest.raises(ZooFileError, match="the arrays of train do not belong together"):
        form.read(tmp_path)
    utterances(tmp_path, train_ids=np.array(["a1"] * 6))
    with pytest.raises(ZooFileError, match="'a1' must be the name of a video, '_' and a number"):
        form.read(tmp_path)
    (tmp_path / cmu_mosi.FILE).write_bytes(b"PK")
    with pytest.raises(ZooFileError, match="is damaged or cannot be read"):
        form.read(tmp_path)
    with pytest.raises(ZooFileError, match=r"none\.npz cannot be read: No such file"):
        npz.check_sums(tmp_path, {"none.npz": ""})


@real("ravdess")
def test_ravdess_as_it_is(monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", REAL)
    dataset = data.load("ravdess")
    train = dataset["train"]
    assert not dataset.permissive and "NC" in dataset.licence and len(train) == 1440
    assert Counter(train["label"]) == {"neutral": 96, **{name: 192 for name in dataset.labels[1:]}}
    assert train["image"].shape == (1440, 35) and len(set(train["text"])) == 2 and len(set(train["actor"])) == 24
    assert info(train["audio"][0]).rate == 16_000 and 2 < len(read_sound(train["audio"][-1])) / 16_000 < 6
    assert [[len(part) for part in ravdess.fold(dataset, number)] for number in (0, 3)] == [
        [840, 300, 300],
        [900, 240, 300],
    ]
    # The name of a clip says emotion and actor: rows of table, faces and sounds belong together.
    assert all(int(clip.split("-")[-1]) == int(actor) for clip, actor in zip(train["clip"], train["actor"]))


@real("cmu_mosi_features")
def test_cmu_mosi_as_it_is(monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", REAL)
    dataset = data.load("cmu_mosi_features")
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 1228, "val": 219, "test": 752}
    videos = {name: set(split["conversation"]) for name, split in dataset.splits.items()}
    assert {name: len(found) for name, found in videos.items()} == {"train": 52, "val": 10, "test": 31}
    assert not videos["train"] & videos["val"] and not videos["test"] & (videos["train"] | videos["val"])
    assert [dataset["test"][name].shape[1] for name in ("image", "audio", "text")] == [100, 73, 100]
