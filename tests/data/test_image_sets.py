import gzip
import hashlib
import io
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from attention_zoo import data
from attention_zoo.data import cifar10, cifar10_webp, fashion_mnist, idx, registry
from attention_zoo.data.real_set import RealSet, RemoteFile
from attention_zoo.errors import ZooFileError
from attention_zoo.vision import as_images

pytestmark = pytest.mark.once

TOY = idx.IdxImages(("a", "b"), files={"train": "train", "test": "t10k"}, share=0.25)


def write_pair(folder, stem, images, labels):
    for name, values in zip(idx.names_of(stem), (images, labels)):
        idx.write_idx(folder / name, np.asarray(values, np.uint8))


@pytest.fixture
def clothes(tmp_path):
    """A folder in the form of Fashion-MNIST, with images of 2 x 3 pixels."""
    folder = tmp_path / "toy"
    folder.mkdir()
    write_pair(folder, "train", np.arange(16 * 6).reshape(16, 2, 3), [row % 2 for row in range(16)])
    write_pair(folder, "t10k", np.zeros((2, 2, 3)), [1, 0])
    return folder


def test_validation_data_are_held_out_of_train_always_the_same_of_each_label(clothes):
    splits = TOY.read(clothes)
    assert list(splits) == ["train", "val", "test"]
    assert sorted(splits["val"]["label"]) == ["a", "a", "b", "b"]
    assert splits["test"]["label"] == ["b", "a"]
    first = np.concatenate([splits["train"]["image"], splits["val"]["image"]])[:, 0, 0]
    assert sorted(first.tolist()) == list(range(0, 96, 6))
    for split in ("train", "val"):
        assert [("a", "b")[(image[0, 0] // 6) % 2] for image in splits[split]["image"]] == splits[split]["label"]
    assert (splits["val"]["image"][:, 0, 0] // 6).tolist() == [0, 3, 5, 8]  # scores depend on it: never another draw


def test_validation_data_of_the_folder_itself_are_taken(clothes):
    write_pair(clothes, "val", np.full((1, 2, 3), 9), [1])
    splits = TOY.read(clothes)
    assert len(splits["train"]) == 16
    assert splits["val"]["image"].tolist() == [[[9, 9, 9], [9, 9, 9]]]


def test_a_set_of_images_is_downloaded_checked_and_kept_as_published(clothes, site, monkeypatch):
    names = [name for stem in ("train", "t10k") for name in idx.names_of(stem)]
    remote = []
    for name in names:
        content = site.files[f"/{name}"] = (clothes / name).read_bytes()
        remote.append(RemoteFile(name, f"{site.address}/{name}", hashlib.sha256(content).hexdigest()))
    known = data.Dataset("toy", TOY.read(clothes), ("a", "b")).sha256
    real_set = RealSet("toy", TOY, tuple(remote), known, "CC0", True, site.address, "nobody", "image", ("a", "b"))
    monkeypatch.setitem(registry.REAL_SETS, "toy", real_set)
    first, second = data.load("toy"), data.load("toy")
    assert np.array_equal(first["train"]["image"], second["train"]["image"])
    assert first.raw == "image" and first.labels == ("a", "b")
    assert len(site.requests) == 4
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(clothes.parent))
    changed = np.zeros((2, 2, 3))
    changed[1, 1, 1] = 1
    write_pair(clothes, "t10k", changed, [1, 0])
    with pytest.raises(ZooFileError, match=f"sha256 of its images and labels must be {known}, got"):
        data.load("toy")
    (clothes / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(ZooFileError, match=r"must hold all of toy; t10k-labels-idx1-ubyte\.gz is missing"):
        data.load("toy")


def test_the_way_a_file_is_compressed_does_not_matter(clothes):
    before = data.Dataset("toy", TOY.read(clothes), ()).sha256
    for path in clothes.glob("*.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    assert data.Dataset("toy", TOY.read(clothes), ()).sha256 == before


DAMAGE = {
    "cut": (lambda content: content[:-9], "is damaged"),
    "no gzip": (lambda content: b"hello", "is damaged"),
    "other kind": (lambda content: gzip.compress(b"\0\0\x0d\3" + bytes(30)), "must be an idx file of bytes"),
    "short": (lambda content: gzip.compress(b"\0\0\x08\3"), "must be an idx file of bytes"),
    "too few": (
        lambda content: gzip.compress(b"\0\0\x08\3" + np.array([2, 2, 3], ">u4").tobytes() + bytes(11)),
        r"must hold \(2, 2, 3\) bytes, got 11",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_idx_file_is_named(clothes, case):
    change, message = DAMAGE[case]
    path = clothes / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ZooFileError, match=rf"t10k-images-idx3-ubyte\.gz {message}"):
        TOY.read(clothes)


def test_labels_must_fit_the_images(clothes):
    write_pair(clothes, "t10k", np.zeros((2, 2, 3)), [1])
    with pytest.raises(ZooFileError, match="must hold a label for each of 2 images, got 1"):
        TOY.read(clothes)
    write_pair(clothes, "t10k", np.zeros((1, 2, 3)), [2])
    with pytest.raises(ZooFileError, match="must hold labels below 2, got 2"):
        TOY.read(clothes)


def test_the_bundled_sample_has_every_label_in_every_split(monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    sample = data.load("fashion_mnist", sample=True)
    assert sample.sample and sample.permissive and sample.raw == "image"
    assert sample.labels == fashion_mnist.LABELS
    for split, count in {"train": 60, "val": 20, "test": 20}.items():
        assert sample[split]["image"].shape == (10 * count, 28, 28) and sample[split]["image"].dtype == np.uint8
        assert all(sample[split]["label"].count(label) == count for label in sample.labels)
    seen = [image.tobytes() for split in sample.splits.values() for image in split["image"]]
    assert len(set(seen)) == len(seen)
    folder = registry.SAMPLES / "fashion_mnist"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 700_000
    readme = (folder / "README.md").read_text()
    assert all(word in readme for word in ("Source", "Authors", "Licence", "Changes", "make.py", "Zalando SE"))


def records(count, start=0):
    """Return records of CIFAR-10's binary form, and what they should be read as."""
    pixels = np.random.default_rng(start).integers(0, 256, (count, 32, 32, 3), np.uint8)
    labels = np.arange(count) % 10
    planes = pixels.transpose(0, 3, 1, 2).reshape(count, -1)
    return np.concatenate([labels[:, None].astype(np.uint8), planes], axis=1).tobytes(), pixels


def archive_of(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("cifar-10-batches-bin/test.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)


def test_cifar10_is_read_as_published_and_nothing_leaves_the_archive(tmp_path):
    (train, pixels), (test, _) = records(20), records(10, start=1)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in (("train.bin", train), ("test.bin", test))}
    form = cifar10.Batches({"train": ("train.bin",), "test": ("test.bin",)}, sums)
    inside, out = tmp_path / "in", tmp_path / "out"
    inside.mkdir(), out.mkdir()
    good = {f"cifar-10-batches-bin/{name}": content for name, content in (("train.bin", train), ("test.bin", test))}
    archive_of(
        inside / cifar10.ARCHIVE, {"../evil.bin": b"evil", "/tmp/train.bin": b"evil", "readme.html": b"", **good}
    )
    form.write(out, {cifar10.ARCHIVE: inside / cifar10.ARCHIVE})
    assert sorted(os.listdir(out)) == ["test.bin", "train.bin"] and sorted(os.listdir(tmp_path)) == ["in", "out"]
    splits = form.read(out)
    assert {name: len(split) for name, split in splits.items()} == {"train": 18, "val": 2, "test": 10}
    assert splits["test"]["label"] == list(cifar10.LABELS)
    read = np.concatenate([splits["train"]["image"], splits["val"]["image"]])
    assert {image.tobytes() for image in read} == {image.tobytes() for image in pixels}
    (out / "test.bin").write_bytes(test[:-1] + b"x")
    with pytest.raises(ZooFileError, match=r"test\.bin is damaged or changed: its sha256 must be"):
        form.read(out)


def test_an_archive_without_a_file_names_it(tmp_path):
    form = cifar10.Batches({"train": ("train.bin",)}, {"train.bin": "00"})
    archive_of(tmp_path / "a.tar.gz", {})
    with pytest.raises(ZooFileError, match=r"must hold cifar-10-batches-bin/train\.bin; it is missing"):
        form.write(tmp_path, {cifar10.ARCHIVE: tmp_path / "a.tar.gz"})


def webp(shade):
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(stream, "WEBP", lossless=True)
    return stream.getvalue()


def test_webp_images_stay_bytes_until_they_are_decoded(tmp_path):
    files = [webp(10 * row) for row in range(20)]
    content = {
        "webp": np.frombuffer(b"".join(files), np.uint8),
        "offset": np.cumsum([0, *map(len, files)]),
        "label": np.arange(20, dtype=np.uint8) % 10,
    }
    form = cifar10_webp.SET.form
    assert form.missing(tmp_path) == "cifar10_train.npz"
    for name in form.files.values():
        np.savez(tmp_path / name, **content)
    splits = form.read(tmp_path)
    assert {name: len(split) for name, split in splits.items()} == {"train": 18, "val": 2, "test": 20}
    assert splits["test"]["image"] == files and splits["test"]["label"][:2] == ["airplane", "automobile"]
    assert as_images(splits["test"]["image"])[3][0, 0].tolist() == [30, 0, 0]
    backwards = content["offset"].copy()
    backwards[5] = 0
    for change in (
        {"offset": content["offset"][:-1]},
        {"webp": content["webp"][:-1]},
        {"label": content["label"] + np.uint8(1)},
        {"offset": backwards},
    ):
        np.savez(tmp_path / "cifar10_test.npz", **{**content, **change})
        with pytest.raises(ZooFileError, match=r"cifar10_test\.npz is damaged: its webp, offset and label"):
            form.read(tmp_path)
    (tmp_path / "cifar10_test.npz").write_bytes(b"PK\3\4 not a zip")
    with pytest.raises(ZooFileError, match=r"cifar10_test\.npz is damaged"):
        form.read(tmp_path)
