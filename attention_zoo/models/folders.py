"""Write a folder whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from attention_zoo.errors import ZooFileError, ZooTypeError

CONFIG, WEIGHTS, PREPROCESSOR, RULES = "config.json", "weights.npz", "preprocessor", "rules.json"
OURS = frozenset({CONFIG, WEIGHTS, PREPROCESSOR, RULES, "card.json"})


def write_folder(folder: str | os.PathLike, fill: Callable[[Path], None]) -> Path:
    """Let `fill` write files into a new folder, then put that in the place of `folder` in one step.

    Args:
        folder: destination; its parents are made. An earlier preset there is replaced, anything else is refused.
        fill: called with an empty folder that lies beside the destination.

    Returns:
        The destination.

    Raises:
        ZooTypeError: if `folder` is no path.
        ZooFileError: if it holds anything that is no preset, or cannot be written; it is then as it was before.
    """
    if not isinstance(folder, str | os.PathLike) or not os.fspath(folder):
        raise ZooTypeError(f"folder must be a path, got {folder!r}")
    destination = Path(folder).expanduser().absolute()
    aside = None
    try:
        _check(destination)
        destination.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
        new = aside / "new"
        new.mkdir()
        fill(new)
        _swap(new, destination, aside / "old")
    except ZooFileError:
        raise
    except OSError as error:
        raise ZooFileError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return destination


def _check(destination: Path) -> None:
    if destination.exists() and not destination.is_dir():
        raise ZooFileError(f"{destination} must be a folder, got a file")
    strange = (
        sorted(path.name for path in destination.iterdir() if path.name not in OURS) if destination.exists() else []
    )
    if strange:
        raise ZooFileError(
            f"{destination} holds {strange[0]!r}, which is no part of a saved model; choose another folder"
        )


def _swap(new: Path, destination: Path, old: Path) -> None:
    if destination.exists():
        os.replace(destination, old)
    try:
        os.replace(new, destination)
    except OSError:
        if old.exists():
            os.replace(old, destination)
        raise
