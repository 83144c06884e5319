"""Put finished files at their destination in one step, or leave the destination as it was."""

import os
import shutil
import tempfile
from pathlib import Path

from attention_zoo.errors import ZooFileError
from attention_zoo.files import read_json

# What an export or a bundle writes; `overwrite` never deletes a folder that holds anything else.
OURS = frozenset({"savedmodel", "model.onnx", "bundle.json", "preprocessor", "card.json", "README.md"})


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Check that `folder` can become an export.

    Args:
        folder: destination.
        overwrite: True if an earlier export there may be replaced.

    Raises:
        ZooFileError: if it is a file, holds an export without `overwrite`, holds anything else, or is not writable.
    """
    if folder.exists() and not folder.is_dir():
        raise ZooFileError(f"the destination {str(folder)!r} must be a folder, got a file")
    held = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    if held and not overwrite:
        raise ZooFileError(f"the destination {str(folder)!r} is not empty; choose another, or pass overwrite=True")
    strange = [name for name in held if name not in OURS and name not in _listed(folder)]
    if strange:
        raise ZooFileError(
            f"the destination {str(folder)!r} is no export (it holds {strange[0]!r}), so it is not replaced"
        )
    parent = folder.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ZooFileError(f"the destination {str(folder)!r} cannot be written: no right to write in {str(parent)!r}")


def _listed(folder: Path) -> set[str]:
    """Return the entries of a bundle's folder that its description lists; none where it has no description."""
    if not (folder / "bundle.json").is_file():
        return set()
    try:
        files = read_json(folder / "bundle.json").get("files")
    except ZooFileError:  # damaged: then only what every bundle holds is known to be ours
        return set()
    return {name.split("/")[0] for name in files} if isinstance(files, dict) else set()


def publish(source: Path, folder: Path, *, overwrite: bool) -> None:
    """Copy `source` beside `folder`, then put it in its place by one rename.

    Args:
        source: folder with finished files.
        folder: destination; its parents are made.
        overwrite: True if an earlier export there may be replaced; it is put back if the rename fails.

    Raises:
        ZooFileError: if the destination is taken or cannot be written.
    """
    check_free(folder, overwrite=overwrite)
    folder = folder.absolute()
    aside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        shutil.copytree(source, aside / "new")
        if folder.exists():
            os.replace(folder, aside / "old")
        _swap(aside, folder)
    except OSError as error:
        raise ZooFileError(f"the destination {str(folder)!r} cannot be written: {error}") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _swap(aside: Path, folder: Path) -> None:
    try:
        os.replace(aside / "new", folder)
    except OSError:
        if (aside / "old").exists():
            os.replace(aside / "old", folder)
        raise
