"""Files that are whole or not there, and JSON whose format is known."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from attention_zoo.errors import ZooFileError


def replace_file(path: str | os.PathLike, write: Callable[[BinaryIO], object]) -> Path:
    """Write a sibling, push it to the disk, then put it in the place of `path` in one step.

    Args:
        path: file to make or replace; its folder must exist.
        write: called with the open sibling.

    Returns:
        The path written.

    Raises:
        ZooFileError: if it cannot be written; what was at `path` is then still there.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ZooFileError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def write_bytes(path: str | os.PathLike, content: bytes) -> Path:
    """Write a file whole or not at all.

    Raises:
        ZooFileError: if it cannot be written.
    """
    return replace_file(path, lambda file: file.write(content))


def write_json(path: str | os.PathLike, values: Mapping[str, Any]) -> Path:
    """Write a JSON object, whole or not at all.

    Args:
        path: the file; its folder must exist.
        values: what `json` can write.

    Raises:
        ZooFileError: if it cannot be written.
    """
    return write_bytes(path, (json.dumps(dict(values), indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def read_bytes(path: str | os.PathLike) -> bytes:
    """Read a file.

    Raises:
        ZooFileError: if it is missing or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ZooFileError(f"{path} is missing") from error
    except OSError as error:
        raise ZooFileError(f"{path} cannot be read: {error.strerror or error}") from error


def read_json(path: str | os.PathLike, format: int | None = None) -> dict[str, Any]:
    """Read a JSON file whose top is an object.

    Args:
        path: the file.
        format: what its entry "format" must be, which is then left out; None leaves all as it is.

    Raises:
        ZooFileError: if it is missing, cannot be read, is not a JSON object in UTF-8, or is of another format.
    """
    content = read_bytes(path)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ZooFileError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ZooFileError(f"{path} is damaged: a JSON object is wanted, got {type(values).__name__}")
    if format is None:
        return values
    found = values.pop("format", None)
    if found != format:
        raise ZooFileError(
            f"{path} must have format {format}, got {found!r}; a newer attention-zoo may have written it"
        )
    return values


def make_folder(folder: str | os.PathLike) -> Path:
    """Make a folder with its parents, where it is missing.

    Raises:
        ZooFileError: if it cannot be made.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZooFileError(f"{folder} cannot be written: {error.strerror or error}") from error
    return Path(folder)
