"""Arrays of a published set in one npz, and sums of files that are read as they lie."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from attention_zoo.data.download import file_sha256
from attention_zoo.errors import ZooFileError


def read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return some arrays of an npz; one of Python objects is refused.

    Raises:
        ZooFileError: if it is missing, cut or damaged, or lacks an array; names it.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            return {name: content[name] for name in names}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ZooFileError(f"{path} is damaged or cannot be read: {error}") from error


def check_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Check files against their sums.

    Args:
        folder: that holds them.
        sums: sha256 in hexadecimal by the file's name.

    Raises:
        ZooFileError: if one is missing, cannot be read or is another; names it.
    """
    for name, known in sums.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            raise ZooFileError(f"{folder / name} cannot be read: {error.strerror or error}") from error
        if found != known:
            raise ZooFileError(f"{folder / name} is damaged or changed: its sha256 must be {known}, got {found}")
