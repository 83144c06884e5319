"""A list of named arrays as one `.npz` file: no pickle, written whole or not at all."""

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from attention_zoo.errors import ZooFileError, ZooValueError

NAMES = "names"  # the entry that keeps names and order; the arrays are called 0, 1, 2, ...
BIGGEST_HALF = float(np.finfo(np.float16).max)


def save_weights(path: str | Path, arrays: Iterable[tuple[str, np.ndarray]], half: bool = False) -> None:
    """Write named arrays in their order.

    Floats are stored as float32, or as float16 with `half`; integers and booleans as they are.

    Args:
        path: the `.npz` file; its folder must exist.
        arrays: pairs of name and array; names need not be different.
        half: store floats in 2 bytes instead of 4.

    Raises:
        ZooValueError: if an array is not of numbers, is not finite, or too large for float16.
        ZooFileError: if the file cannot be written; what was there stays.
    """
    path = Path(path)
    pairs = [(name, _stored(name, np.asarray(array), half)) for name, array in arrays]
    entries = {str(index): array for index, (_, array) in enumerate(pairs)}
    entries[NAMES] = np.array([name for name, _ in pairs], dtype=str)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(part, "wb") as file:
            np.savez_compressed(file, **entries)
        os.replace(part, path)
    except OSError as error:
        raise ZooFileError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _stored(name: str, array: np.ndarray, half: bool) -> np.ndarray:
    if array.dtype.kind in "biu":
        return array
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise ZooValueError(f"weight {name!r} must be an array of real numbers, got dtype {array.dtype}")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ZooValueError(f"weight {name!r} must be finite, got NaN or infinity")
    if half and array.size and float(np.abs(array).max()) > BIGGEST_HALF:
        raise ZooValueError(
            f"weight {name!r} must be at most {BIGGEST_HALF:g} for half=True, got {np.abs(array).max():g}"
        )
    return array.astype(np.float16) if half else array


def load_weights(path: str | Path) -> list[tuple[str, np.ndarray]]:
    """Read what `save_weights` wrote.

    Args:
        path: the `.npz` file.

    Returns:
        Pairs of name and array in the order of writing; floats as float32, integers and booleans as they are.

    Raises:
        ZooFileError: if the file is missing, cut, damaged, or holds anything but plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = [str(name) for name in stored[NAMES]]
            arrays = [stored[str(index)] for index in range(len(names))]
    except FileNotFoundError as error:
        raise ZooFileError(f"{path} is missing") from error
    # What NumPy, zipfile and zlib raise for a file that was cut or changed; AttributeError: a bare .npy has no names.
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        TypeError,
        AttributeError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise _damaged(path) from error
    except (zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise _damaged(path) from error
    return [
        (name, array.astype(np.float32) if array.dtype.kind == "f" else array) for name, array in zip(names, arrays)
    ]


def _damaged(path: str | Path) -> ZooFileError:
    return ZooFileError(f"{path} is damaged or not a file of weights; get the preset again")
