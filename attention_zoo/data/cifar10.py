"""CIFAR-10: 32 x 32 colour images of ten kinds of things.

Train (50,000) and test (10,000) are the official splits. There is no official validation split: val is 5,000 of the
official train images, 500 of each label, drawn by `hold_out(train, 0.1, seed=0)`; train has the other 45,000.
"""

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from attention_zoo.data.dataset import Split
from attention_zoo.data.download import file_sha256
from attention_zoo.data.progress import LateBar
from attention_zoo.data.real_set import Form, RealSet, RemoteFile
from attention_zoo.data.splitting import hold_out
from attention_zoo.errors import ZooFileError

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ARCHIVE = "cifar-10-binary.tar.gz"
INSIDE = "cifar-10-batches-bin"
SIDE = 32
SHARE = 0.1
_RECORD = 1 + 3 * SIDE * SIDE
CITATION = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images, University of Toronto"


@dataclass(frozen=True)
class Batches(Form):
    """Files of records: a byte for the label, then the reds, greens and blues of an image, row by row.

    Args:
        files: files of each split, by the split's name.
        sums: sha256 of each file.
    """

    files: Mapping[str, tuple[str, ...]]
    sums: Mapping[str, str] = field(repr=False)

    def missing(self, folder: Path) -> str | None:
        """Return the first file that `folder` lacks."""
        return next((name for name in self.sums if not (folder / name).is_file()), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read train, val and test; the images of a split are one array [rows, 32, 32, 3]."""
        whole = {split: self._split([folder / name for name in names]) for split, names in self.files.items()}
        train, val = hold_out(whole.pop("train"), SHARE, seed=0)
        return {"train": train, "val": val, **whole}

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Copy the records out of the archive, which is read as a stream: it names no path to write to."""
        path = files[ARCHIVE]
        wanted = {f"{INSIDE}/{name}": name for name in self.sums}
        with (
            open(path, "rb") as raw,
            LateBar("cifar10: unpacking", path.stat().st_size) as bar,
            tarfile.open(fileobj=raw, mode="r|gz") as archive,
        ):
            for member in archive:
                bar.reach(raw.tell())
                if member.isfile() and member.name in wanted:
                    (folder / wanted[member.name]).write_bytes(archive.extractfile(member).read())
        lacking = self.missing(folder)
        if lacking:
            raise ZooFileError(f"{path} must hold {INSIDE}/{lacking}; it is missing")

    def _split(self, paths: list[Path]) -> Split:
        records = np.concatenate([self._records(path) for path in paths])
        images = records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
        labels = [LABELS[number] for number in records[:, 0].tolist()]
        return Split({"image": np.ascontiguousarray(images), "label": labels})

    def _records(self, path: Path) -> np.ndarray:
        try:
            found = file_sha256(path)
            if found != self.sums[path.name]:
                raise ZooFileError(
                    f"{path} is damaged or changed: its sha256 must be {self.sums[path.name]}, got {found}; delete it "
                    "to get it anew"
                )
            return np.fromfile(path, np.uint8).reshape(-1, _RECORD)
        except FileNotFoundError as error:
            raise ZooFileError(f"{path} is missing") from error


SUMS = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}

SET = RealSet(
    name="cifar10",
    form=Batches(files={"train": tuple(SUMS)[:-1], "test": ("test_batch.bin",)}, sums=SUMS),
    remote=(
        RemoteFile(
            ARCHIVE,
            f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    sha256=None,
    licence="none stated; research use",
    permissive=False,
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    citation=CITATION,
    raw="image",
    labels=LABELS,
)
