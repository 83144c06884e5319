"""The idx form of MNIST and its kin: pairs of files, one of images, one of labels."""

import gzip
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attention_zoo.data.dataset import Split
from attention_zoo.data.real_set import Form
from attention_zoo.data.splitting import hold_out
from attention_zoo.errors import ZooFileError

_BYTES = 0x08  # the only kind of number that these sets use


@dataclass(frozen=True)
class IdxImages(Form):
    """`<stem>-images-idx3-ubyte.gz` and `<stem>-labels-idx1-ubyte.gz` for each split.

    The sets have no validation data of their own: it is held out of train, always the same rows, unless the folder has
    files `val-images-idx3-ubyte.gz` and `val-labels-idx1-ubyte.gz`.

    Args:
        labels: name of each label number.
        files: stem of each split, by the split's name.
        share: part of train that becomes val.
    """

    labels: tuple[str, ...]
    files: Mapping[str, str]
    share: float

    def missing(self, folder: Path) -> str | None:
        """Return the first file that `folder` lacks."""
        names = (name for stem in self.files.values() for name in names_of(stem))
        return next((name for name in names if not (folder / name).is_file()), None)

    def read(self, folder: Path) -> dict[str, Split]:
        """Read train, val and test; the images of a split are one array [rows, height, width]."""
        splits = {split: self._pair(folder, stem) for split, stem in self.files.items()}
        if (folder / names_of("val")[0]).is_file():
            train, val = splits["train"], self._pair(folder, "val")
        else:
            train, val = hold_out(splits["train"], self.share, seed=0)
        return {"train": train, "val": val, **{name: split for name, split in splits.items() if name != "train"}}

    def write(self, folder: Path, files: Mapping[str, Path]) -> None:
        """Keep the published files as they are."""
        for name, path in files.items():
            shutil.copyfile(path, folder / name)

    def _pair(self, folder: Path, stem: str) -> Split:
        paths = [folder / name for name in names_of(stem)]
        images, numbers = read_idx(paths[0], 3), read_idx(paths[1], 1)
        if len(images) != len(numbers):
            raise ZooFileError(f"{paths[1]} must hold a label for each of {len(images)} images, got {len(numbers)}")
        if len(numbers) and numbers.max() >= len(self.labels):
            raise ZooFileError(f"{paths[1]} must hold labels below {len(self.labels)}, got {numbers.max()}")
        return Split({"image": images, "label": [self.labels[number] for number in numbers.tolist()]})


def names_of(stem: str) -> tuple[str, str]:
    """Return the file names of images and labels."""
    return f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz"


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Read a gzipped idx file of bytes.

    Args:
        path: file.
        axes: that it must have.

    Returns:
        uint8.

    Raises:
        ZooFileError: if it is missing, cut, damaged, or of another kind.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError as error:
        raise ZooFileError(f"{path} is missing") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ZooFileError(f"{path} is damaged or cannot be read: {error}") from error
    start = 4 + 4 * axes
    if content[:4] != bytes((0, 0, _BYTES, axes)) or len(content) < start:
        raise ZooFileError(f"{path} must be an idx file of bytes with {axes} axes; its first bytes are {content[:4]!r}")
    shape = tuple(np.frombuffer(content, ">u4", axes, 4).tolist())
    if len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise ZooFileError(f"{path} must hold {shape} bytes, got {len(content) - start:,}")
    return np.frombuffer(bytearray(content), np.uint8, offset=start).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write uint8 values as a gzipped idx file; the same values give the same bytes."""
    head = bytes((0, 0, _BYTES, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream:
        stream.write(head + np.ascontiguousarray(array, np.uint8).tobytes())
