"""Unpack an archive of a preset so that nothing leaves the folder."""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from attention_zoo.errors import ZooFileError
from attention_zoo.presets.card import CARD, CHUNK, inside

SUFFIXES = (".tar.gz", ".tgz", ".zip")
LIMIT = 4 << 30  # bytes unpacked; a preset is a few megabytes


def unpack(archive: str | Path, folder: str | Path) -> None:
    """Unpack a `.tar.gz`, `.tgz` or `.zip` archive of a preset into an empty folder.

    The preset lies at the archive's top or in its only folder. Only plain files are taken: a link, a device, an
    absolute path or one with `..` is an error.

    Args:
        archive: the archive.
        folder: an empty folder.

    Raises:
        ZooFileError: if the archive is damaged, wants to write outside `folder`, holds anything but files and folders,
            unpacks to more than 4 GiB, or holds no preset.
    """
    folder = Path(folder)
    members = _zip_members if str(archive).endswith(".zip") else _tar_members
    left = LIMIT
    try:
        for name, source in members(Path(archive)):
            path = inside(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            left = _copy(source, path, left)
    except ZooFileError:
        raise
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, tarfile.TarError) as error:
        raise ZooFileError(f"{Path(archive).name} is not a whole archive: {error}") from error
    except zipfile.BadZipFile as error:
        raise ZooFileError(f"{Path(archive).name} is not a whole archive: {error}") from error
    _lift(folder, Path(archive).name)


def _copy(source: IO[bytes], path: Path, left: int) -> int:
    """Copy at most `left` bytes; return how many are left then."""
    with open(path, "xb") as target:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ZooFileError(f"the archive unpacks to more than {LIMIT} bytes; a preset is a few megabytes")
            target.write(chunk)
    return left


def _tar_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive, "r:gz") as stored:
        for member in stored:
            if member.isdir():
                continue
            if not member.isreg():
                raise ZooFileError(f"{archive.name} holds {member.name!r}, which is not a plain file")
            yield member.name, stored.extractfile(member)


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as stored:
        for member in stored.infolist():
            if member.is_dir():
                continue
            # The upper half holds the Unix mode where one was stored; 0o12 is a link.
            if (member.external_attr >> 28) not in (0, 0o10):
                raise ZooFileError(f"{archive.name} holds {member.filename!r}, which is not a plain file")
            with stored.open(member) as source:
                yield member.filename, source


def _lift(folder: Path, archive: str) -> None:
    """Move the preset up when the archive wraps it in one folder."""
    if (folder / CARD).is_file():
        return
    inner = list(folder.iterdir())
    if len(inner) != 1 or not (inner[0] / CARD).is_file():
        raise ZooFileError(f"{archive} holds no preset: {CARD} must lie at its top or in its only folder")
    # Renamed first: the preset may hold a folder of the same name.
    wrapper = inner[0].rename(folder / f".{CARD}")
    for path in list(wrapper.iterdir()):
        shutil.move(path, folder / path.name)
    wrapper.rmdir()
