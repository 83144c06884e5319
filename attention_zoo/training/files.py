"""Files that are whole or not there."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from attention_zoo.errors import ZooFileError


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a sibling, push it to the disk, then put it in the place of `path` in one step.

    Args:
        path: file to make or replace.
        write: called with the open sibling.

    Raises:
        ZooFileError: if it cannot be written; what was at `path` is then still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ZooFileError(f"file {path} cannot be written: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
