"""One number for the contents of a data set, whatever way they are compressed on disk."""

import hashlib
import os
from collections.abc import Iterable, Iterator

import numpy as np

from attention_zoo.errors import ZooFileError, ZooTypeError

_BETWEEN_VALUES = "\x1f"
_BETWEEN_LABELS = "\x1e"


def fingerprint(splits: Iterable[tuple]) -> str:
    """Return the sha256 over (name, values of a column, values of the next ...) of all splits, in order.

    Args:
        splits: values are strings: texts, labels (or lists of them), or `images_as_words` of images.

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


def _content(path: str | os.PathLike) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ZooFileError(f"{os.fspath(path)} cannot be read: {error.strerror or error}") from error
