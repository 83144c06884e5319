"""One number for the contents of a data set, whatever way they are compressed on disk."""

import hashlib
import os
from collections.abc import Iterable, Iterator

import numpy as np

from attention_zoo.errors import ZooFileError, ZooTypeError

_BETWEEN_VALUES = "\x1f"
_BETWEEN_LABELS = "\x1e"
_FLAC_MD5 = slice(26, 42)  # of STREAMINFO, which every FLAC file begins with


def fingerprint(splits: Iterable[tuple]) -> str:
    """Return the sha256 over (name, values of a column, values of the next ...) of all splits, in order.

    Args:
        splits: values are strings: texts, labels (or lists of them), or `images_as_words` of images, `sounds_as_words`
            of sounds.

    Returns:
        sha256 in hexadecimal.
    """
    digest = hashlib.sha256()
    for name, *columns in splits:
        for values in ([name], *columns):
            words = (value if isinstance(value, str) else _BETWEEN_LABELS.join(value) for value in values)
            digest.update(_BETWEEN_VALUES.join(words).encode("utf-8", "surrogatepass"))
            digest.update(b"\n")
    return digest.hexdigest()


def images_as_words(images: Iterable) -> Iterator[str]:
    """Yield a word for each image: shape and sha256 of an array's pixels, or the sha256 of a file's bytes.

    Raises:
        ZooFileError: if a file cannot be read.
        ZooTypeError: if an image is neither an array, nor bytes, nor the path of a file.
    """
    for number, image in enumerate(images):
        if isinstance(image, np.ndarray):
            pixels = hashlib.sha256(np.ascontiguousarray(image)).hexdigest()
            yield f"{image.dtype.str} {image.shape} {pixels}"
        elif isinstance(image, bytes):
            yield hashlib.sha256(image).hexdigest()
        elif isinstance(image, str | os.PathLike):
            yield hashlib.sha256(_content(image)).hexdigest()
        else:
            raise ZooTypeError(f"image[{number}] must be an array, bytes or a path, got {type(image).__name__}")


def sounds_as_words(sounds: Iterable) -> Iterator[str]:
    """Yield a word for each sound: of a FLAC file the MD5 of its samples, which its head holds; else as of an image.

    So the same samples have the same word, whoever compressed them without loss.

    Raises:
        ZooFileError: if a file cannot be read.
        ZooTypeError: if a sound is neither bytes, nor the path of a file, nor a pair (array, rate).
    """
    for number, sound in enumerate(sounds):
        if isinstance(sound, tuple) and len(sound) == 2:
            yield f"{sound[1]} {next(images_as_words([np.asarray(sound[0])]))}"
            continue
        if not isinstance(sound, bytes | str | os.PathLike):
            raise ZooTypeError(f"sound[{number}] must be bytes, a path or (array, rate), got {type(sound).__name__}")
        content = sound if isinstance(sound, bytes) else _content(sound)
        md5 = content[_FLAC_MD5] if content.startswith(b"fLaC") else b""
        yield f"flac {md5.hex()}" if any(md5) else hashlib.sha256(content).hexdigest()


def ids_as_words(values: Iterable) -> Iterator[str | list[str]]:
    """Yield ids, numbers, or lists of them, as texts."""
    for value in values:
        yield [str(each) for each in value] if isinstance(value, list | tuple) else str(value)


def _content(path: str | os.PathLike) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ZooFileError(f"{os.fspath(path)} cannot be read: {error.strerror or error}") from error
