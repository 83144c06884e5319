import hashlib
import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
import soundfile

from attention_zoo import data
from attention_zoo.audio import read_sound
from attention_zoo.data import an4, fsdd, registry, zips
from attention_zoo.data.real_set import RealSet, RemoteFile
from attention_zoo.errors import ZooFileError, ZooTypeError

pytestmark = pytest.mark.once


def sound(seed, file_format="WAV", rate=16_000, subtype="PCM_16"):
    stream = io.BytesIO()
    samples = np.random.default_rng(seed).integers(-999, 999, 400 + seed).astype(np.int16)
    soundfile.write(stream, samples, rate, format=file_format, subtype=subtype)
    return stream.getvalue()


def archive_of(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"../evil.sph": b"evil", "/tmp/evil.sph": b"evil", **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("an4/wav/an4_clstk/link.sph")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)


SAID = {
    "train": {"an2-mabc-b": "GO", "an1-fjam-b": "ENTER SIX", "an3-mabc-b": "A B C"},
    "test": {"an9-fxyz-b": "STOP"},
}
FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}


@pytest.fixture
def census(tmp_path):
    """The published archive of AN4 in small, and its sounds by name."""
    members, sounds = {}, {}
    for split, said in SAID.items():
        # The official transcripts of train have sentence marks, and those of test have none.
        marks = "<s> {} </s> ({})\n" if split == "train" else "{} ({})\n"
        members[f"./an4/etc/an4_{split}.transcription"] = "".join(
            marks.format(text, name) for name, text in said.items()
        ).encode()
        for name in said:
            sounds[name] = sound(len(sounds), "NIST")
            members[f"./an4/wav/{FOLDERS[split]}/{name.split('-')[1]}/{name}.sph"] = sounds[name]
    archive_of(tmp_path / an4.ARCHIVE, members)
    return tmp_path / an4.ARCHIVE, sounds


def test_an4_is_read_as_published_held_out_by_speaker_and_nothing_leaves_the_archive(census, tmp_path):
    archive, sounds = census
    out = tmp_path / "out" / "an4"
    out.mkdir(parents=True)
    form = an4.Utterances(held=("fjam",))
    assert form.missing(out) == "an4_train.tsv.gz"
    form.write(out, {an4.ARCHIVE: archive})
    assert form.missing(out) is None and not (tmp_path / "evil.sph").exists()
    assert sorted(os.listdir(out)) == ["an4_test.tsv.gz", "an4_test.zip", "an4_train.tsv.gz", "an4_train.zip"]
    splits = form.read(out)
    assert {name: split["text"] for name, split in splits.items()} == {
        "train": ["GO", "A B C"], "val": ["ENTER SIX"], "test": ["STOP"],
    }  # fmt: skip
    assert splits["train"]["speaker"] == ["mabc", "mabc"] and splits["val"]["speaker"] == ["fjam"]
    for split, names in {"train": ["an2-mabc-b", "an3-mabc-b"], "val": ["an1-fjam-b"], "test": ["an9-fxyz-b"]}.items():
        for found, name in zip(splits[split]["sound"], names):
            np.testing.assert_array_equal(read_sound(found), read_sound(sounds[name]))


def test_a_set_of_sounds_is_downloaded_checked_and_the_same_however_it_is_compressed(
    census, site, monkeypatch, tmp_path
):
    archive, _ = census
    content = site.files["/an4.tar.gz"] = archive.read_bytes()
    form, out = an4.Utterances(held=("fjam",)), tmp_path / "toy"
    out.mkdir()
    form.write(out, {an4.ARCHIVE: archive})
    known = data.Dataset("toy", form.read(out)).sha256
    remote = RemoteFile(an4.ARCHIVE, f"{site.address}/an4.tar.gz", hashlib.sha256(content).hexdigest())
    real_set = RealSet("toy", form, (remote,), ("00" * 32, known), "CC0", True, site.address, "nobody", "sound")
    monkeypatch.setitem(registry.REAL_SETS, "toy", real_set)
    first = data.load("toy")
    assert first.raw == "sound" and first.labels == () and first.fields == ("sound", "text", "speaker")
    assert data.load("toy")["val"]["text"] == ["ENTER SIX"] and len(site.requests) == 1
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path))
    squeezed = []
    for name, each in zips.read_zip(out / "an4_test.zip").items():
        stream = io.BytesIO()
        soundfile.write(stream, *soundfile.read(io.BytesIO(each), dtype="int16"), format="FLAC", compression_level=0.0)
        assert stream.getvalue() != each
        squeezed.append((name, stream.getvalue()))
    zips.write_zip(out / "an4_test.zip", squeezed)
    data.load("toy")
    zips.write_zip(out / "an4_test.zip", [(name, sound(99, "FLAC")) for name, _ in squeezed])
    with pytest.raises(ZooFileError, match=f"sha256 of its sounds and texts must be 00.* or {known}, got"):
        data.load("toy")


def test_damaged_and_missing_sounds_are_named(census, tmp_path):
    archive, _ = census
    form = an4.SET.form
    form.write(tmp_path, {an4.ARCHIVE: archive})
    whole = (tmp_path / "an4_train.zip").read_bytes()
    (tmp_path / "an4_train.zip").write_bytes(whole[:300] + b"xxxx" + whole[304:])
    with pytest.raises(ZooFileError, match=r"an4_train\.zip is damaged or cannot be read: Bad CRC"):
        form.read(tmp_path)
    (tmp_path / "an4_train.zip").write_bytes(whole[:300])
    with pytest.raises(ZooFileError, match=r"an4_train\.zip is damaged"):
        form.read(tmp_path)
    zips.write_zip(tmp_path / "an4_train.zip", [("an1-fjam-b.flac", b"x")])
    with pytest.raises(ZooFileError, match=r"an4_train\.zip must hold an2-mabc-b\.flac or \.opus; it is missing"):
        form.read(tmp_path)
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ZooFileError, match=r"an4_sphere\.tar\.gz (is damaged|must hold)"):
        form.write(tmp_path, {an4.ARCHIVE: archive})
    with pytest.raises(ZooFileError, match="must have one channel of 16 bits, got 1 of PCM_24"):
        zips.as_flac(sound(0, subtype="PCM_24"), "a.wav")


def test_fsdd_has_its_official_split(tmp_path):
    folder = f"free-spoken-digit-dataset-{fsdd.ARCHIVE[26:-7]}/recordings"
    recorded = {f"{folder}/{digit}_ann_{index}.wav": sound(10 * digit + index, rate=8_000)
                for digit in (0, 7) for index in (0, 4, 5, 9, 10, 49)}  # fmt: skip
    archive_of(tmp_path / fsdd.ARCHIVE, {**recorded, f"{folder}/../README.md": b"", f"{folder}/x.wav": b"no"})
    out = tmp_path / "out"
    out.mkdir()
    fsdd.SET.form.write(out, {fsdd.ARCHIVE: tmp_path / fsdd.ARCHIVE})
    assert sorted(os.listdir(out)) == ["fsdd_test.zip", "fsdd_train.zip"]
    splits = fsdd.SET.form.read(out)
    assert {name: split["text"] for name, split in splits.items()} == {
        name: ["zero", "zero", "seven", "seven"] for name in ("train", "val", "test")
    }
    for split, indices in {"train": (10, 49), "val": (5, 9), "test": (0, 4)}.items():
        wanted = [recorded[f"{folder}/{digit}_ann_{index}.wav"] for digit in (0, 7) for index in indices]
        for found, each in zip(splits[split]["sound"], wanted):
            np.testing.assert_array_equal(read_sound(found, 8_000), read_sound(each, 8_000))
    with zipfile.ZipFile(out / "fsdd_test.zip", "a") as archive:
        archive.writestr("../up.flac", b"x")
    with pytest.raises(ZooFileError, match=r"must hold \{digit\}_\{speaker\}_\{index\}\.flac, got '\.\./up\.flac'"):
        fsdd.SET.form.read(out)


SAMPLES = {"an4": {"train": 15, "val": 5, "test": 5}, "fsdd": {"train": 20, "val": 10, "test": 10}}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_bundled_samples_are_speech_with_its_licence(name, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    sample = data.load(name, sample=True)
    assert sample.sample and sample.permissive and sample.raw == "sound"
    assert {split: len(rows) for split, rows in sample.splits.items()} == SAMPLES[name]
    sounds = [each for split in sample.splits.values() for each in split["sound"]]
    assert len(set(sounds)) == len(sounds)
    for each in sounds:
        samples = read_sound(each)
        assert 1_600 < len(samples) < 50_000 and 0.01 < np.abs(samples).max() <= 1
    assert all(text for split in sample.splits.values() for text in split["text"])
    folder = registry.SAMPLES / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 500_000
    readme = (folder / "README.md").read_text()
    assert all(word in readme for word in ("Source", "Authors", "Licence", "Changes", "make.py"))


def test_the_held_out_speakers_are_those_of_the_seed_and_of_nobody_else():
    sample = data.load("an4", sample=True)
    assert not set(sample["train"]["speaker"]) & set(an4.HELD)
    assert set(sample["val"]["speaker"]) <= set(an4.HELD) and len(an4.HELD) == 8
    assert set(sample["test"]["speaker"]).isdisjoint({*an4.HELD, *sample["train"]["speaker"]})


def test_words_of_sounds_are_of_their_samples(tmp_path):
    content = sound(3, "FLAC")
    (tmp_path / "a.flac").write_bytes(content)
    pair = (np.zeros(9), 16_000)
    splits = [data.Split({"sound": [each], "text": ["x"]}) for each in (content, tmp_path / "a.flac", sound(3), pair)]
    first, same, wav, array = (data.Dataset("a", {"train": split}).sha256 for split in splits)
    assert first == same and len({first, wav, array}) == 3
    other = data.Split({"sound": [content], "text": ["y"]})
    assert data.Dataset("a", {"train": other}).sha256 != first
    with pytest.raises(ZooTypeError, match=r"sound\[0\] must be bytes, a path or \(array, rate\), got int"):
        data.Dataset("a", {"train": data.Split({"sound": [5], "text": ["y"]})}).sha256  # noqa: B018


def test_the_same_files_make_the_same_zip(tmp_path):
    for name in ("a.zip", "b.zip"):
        zips.write_zip(tmp_path / name, [("x", b"1"), ("y", b"2")])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert zips.read_zip(tmp_path / "a.zip") == {"x": b"1", "y": b"2"}
