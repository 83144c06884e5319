"""Arrays and what is to be known of them in one file, with a checksum; nothing in it is pickled."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooFileError
from attention_zoo.files import read_bytes, replace_file

FORMAT = 1
ABOUT = "about"


def save_arrays(path: str | os.PathLike, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write one `.npz` file, whole or not at all.

    Args:
        path: the file; its folder must exist.
        about: what JSON can write.
        arrays: by name.

    Raises:
        ZooFileError: if it cannot be written.
    """
    told = json.dumps({"format": FORMAT, **about, "sha256": _digest(arrays)})
    written = {**arrays, ABOUT: np.frombuffer(told.encode("utf-8"), np.uint8)}
    return replace_file(path, lambda file: np.savez_compressed(file, **written))


def load_arrays(path: str | os.PathLike, what: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `save_arrays` wrote: what is to be known, and arrays by name.

    Args:
        path: the file.
        what: what should be in it, for messages.

    Raises:
        ZooFileError: if the file is missing, damaged or of another format.
    """
    content = read_bytes(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = dict(file)
        about = dict(json.loads(arrays.pop(ABOUT).tobytes()))
        found = about["format"]
        sound = _digest(arrays) == about.get("sha256")
    except Exception as error:  # the readers of archives and arrays raise a dozen kinds for a file that was changed
        raise damaged(path, what, error) from error
    if found != FORMAT:
        raise ZooFileError(
            f"{path} must have format {FORMAT}, got {found!r}; a newer attention-zoo may have written it"
        )
    if not sound:
        raise damaged(path, what, "its checksum differs")
    return about, arrays


def damaged(path: str | os.PathLike, what: str, why: object) -> ZooFileError:
    """Return the error that says that a file is not what it should be."""
    return ZooFileError(f"{path} is no {what}, or damaged ({why})")


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays, their names, kinds and shapes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
