"""How an image preprocessor lies on disk: one small JSON."""

import json
import os
import tempfile
from pathlib import Path

from attention_zoo.errors import ZooFileError

FORMAT = 1
CONFIG = "preprocessor.json"


def save(folder: Path, config: dict) -> None:
    """Write `preprocessor.json`; it appears whole or not at all.

    Args:
        folder: is made where it is missing.
        config: what to write.

    Raises:
        ZooFileError: if it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{CONFIG}-", dir=folder)
        try:
            with open(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(json.dumps(config, indent=1) + "\n")
            os.chmod(temporary, 0o644)
            os.replace(temporary, folder / CONFIG)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ZooFileError(f"{folder} cannot be written: {error.strerror or error}") from error


def load(folder: Path, kind: str) -> dict:
    """Read `preprocessor.json`.

    Args:
        folder: what `save` wrote.
        kind: which preprocessor it must be of.

    Returns:
        The config without "format" and "kind".

    Raises:
        ZooFileError: if the file is missing, damaged, of another kind, or of another format.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no object")
    except FileNotFoundError as error:
        raise ZooFileError(f"{path} is missing") from error
    except OSError as error:
        raise ZooFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ZooFileError(f"{path} is damaged: {error}") from error
    found = config.pop("format", None)
    if found != FORMAT:
        raise ZooFileError(
            f"{path} must have format {FORMAT}, got {found!r}; a newer attention-zoo may have written it"
        )
    if (written := config.pop("kind", None)) != kind:
        raise ZooFileError(f"{path} must be of a preprocessor of the kind {kind!r}, got {written!r}")
    return config
