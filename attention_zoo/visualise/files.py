"""Write a file whole or not at all."""

import os
import tempfile
from pathlib import Path

from attention_zoo.errors import ZooFileError


def write(path: str | os.PathLike, content: bytes) -> Path:
    """Write `content` to a temporary sibling of `path`, then move it there.

    Returns:
        The path written.

    Raises:
        ZooFileError: if the folder is missing or cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes it private; a picture is as public as its folder
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise ZooFileError(f"path {str(path)!r} cannot be written: {error.strerror or error}") from error
    return path
