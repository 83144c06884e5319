"""Sounds of a published set in one zip for each split: read as bytes, never unpacked to the disk."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from attention_zoo.errors import ZooFileError

_LONG_AGO = (2000, 1, 1, 0, 0, 0)  # the same sounds give the same zip, whenever it is made


def read_zip(path: Path) -> dict[str, bytes]:
    """Return the contents of each file of a zip by its name, each checked against its sum.

    Raises:
        ZooFileError: if the zip is missing, cut or damaged; names it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
    except (OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ZooFileError(f"{path} is damaged or cannot be read: {error}") from error


def write_zip(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip; files are kept as they are, for sounds are compressed already. The same files give the same bytes.

    Args:
        path: the zip.
        files: (name, content) in order.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content)


def read_tar(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Return the contents of the regular files of a tar whose names are wanted; nothing is unpacked to the disk.

    Args:
        path: .tar, perhaps compressed.
        wanted: tells by the whole name, without "./" at its beginning.

    Raises:
        ZooFileError: if it is cut or damaged; names it.
    """
    try:
        with tarfile.open(path) as archive:
            members = ((member, member.name.removeprefix("./")) for member in archive if member.isreg())
            return {name: archive.extractfile(member).read() for member, name in members if wanted(name)}
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ZooFileError(f"{path} is damaged or cannot be read: {error}") from error


def as_flac(content: bytes, name: str) -> tuple[bytes, int]:
    """Compress a sound of 16 bits without loss.

    Args:
        content: bytes of a wav, sph or the like, one channel of 16 bits.
        name: what errors call it.

    Returns:
        bytes of a FLAC file, and the number of samples.

    Raises:
        ZooFileError: if it is no such sound.
    """
    import soundfile  # here, so that a list of the sets needs no library of sounds

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.subtype != "PCM_16" or file.channels != 1:
                raise ZooFileError(f"{name} must have one channel of 16 bits, got {file.channels} of {file.subtype}")
            samples, rate = file.read(dtype="int16"), file.samplerate
    except soundfile.LibsndfileError as error:
        raise ZooFileError(f"{name} is damaged: {error.error_string}") from error
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue(), len(samples)


def sound_of(files: Mapping[str, bytes], stem: str, endings: tuple[str, ...], path: Path) -> bytes:
    """Return the file of a sound whose ending may be one of several.

    Raises:
        ZooFileError: if there is none.
    """
    found = next((files[stem + ending] for ending in endings if stem + ending in files), None)
    if found is None:
        raise ZooFileError(f"{path} must hold {stem}{' or '.join(endings)}; it is missing")
    return found
