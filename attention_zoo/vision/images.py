"""The one door for images: what is one image, what are several, and each as an 8-bit array."""

import io
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.vision.arrays import CHANNELS, array_of, eight_bits
from attention_zoo.vision.decoding import MAX_PIXELS, decode, pixels_of

_ENCODED = bytes | bytearray | memoryview


def as_items(images: Any) -> list[Any] | np.ndarray:
    """Return what was given as a sequence of single images, none of them decoded yet.

    One image is: a path, the bytes of a file, an open file, a PIL image, an array [height, width] or
    [height, width, channels] with 1, 3 or 4 channels. Several are: an array [batch, height, width] (grey, its last
    axis being neither 1, 3 nor 4 long) or [batch, height, width, channels], or anything that yields single images.
    Channels always come last: an array [3, height, width] is three grey images.

    Args:
        images: one or several.

    Returns:
        a list, or the array [batch, ...] itself.

    Raises:
        ZooValueError: if there is no image, or an array has another number of axes.
        ZooTypeError: if it is nothing of the above.
    """
    if is_file(images) or isinstance(images, Image.Image):
        return [images]
    if is_array(images):
        return _items_of(array_of(images, "images"))
    if isinstance(images, dict) or not isinstance(images, Iterable):
        raise ZooTypeError(f"images must be paths, bytes, PIL images or arrays, got {type(images).__name__}")
    items = list(images)
    if not items:
        raise ZooValueError("images must hold at least one image, got an empty list")
    return items


def as_images(images: Any, max_pixels: int = MAX_PIXELS) -> list[np.ndarray]:
    """Decode images, given in any of the ways of `as_items`.

    Args:
        images: one or several; one image is a list of one.
        max_pixels: as of `as_image`.

    Returns:
        uint8 [height, width] (grey) or [height, width, 3] (red, green, blue) each, of any size.

    Raises:
        ZooFileError, ZooValueError, ZooTypeError: as `as_image`, naming the image ("images[3] (cat.jpg)").
    """
    return [as_image(item, f"images[{number}]", max_pixels) for number, item in enumerate(as_items(images))]


def as_image(image: Any, name: str = "image", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode one image to 8 bits a channel, upright.

    Of files: the EXIF orientation is obeyed; of an animation the first frame is taken, with a `UserWarning`; what is
    transparent lies on white; palettes, CMYK and other colour spaces become red, green, blue; 16-bit grey is scaled
    to 8 bits. Of arrays: bool is black and white, floats go from 0 to 1 and are rounded to 256 levels, uint16 is
    scaled to 8 bits, other whole numbers go from 0 to 255; a fourth channel is opacity, and lies on white as well.

    Args:
        image: a path, bytes, an open file, a PIL image (its current frame), or an array or tensor [height, width] or
            [height, width, 1, 3 or 4].
        name: what errors call it.
        max_pixels: most pixels (height x width) that a file may have; it is compared with the file's header before
            anything is decoded. Arrays and PIL images are not limited.

    Returns:
        uint8 [height, width] or [height, width, 3].

    Raises:
        ZooFileError: if a path is missing, no image, or damaged.
        ZooValueError: if bytes are no image or damaged, if there are too many pixels or none, if an array has the
            wrong number of axes or channels, or values that are no image (NaN, beyond 0 to 1 or 0 to 255).
        ZooTypeError: if it is nothing of the above.
    """
    if isinstance(image, str | os.PathLike):
        return _from_path(os.fspath(image), name, max_pixels)
    if isinstance(image, Image.Image):
        return pixels_of(image, name, ZooValueError)
    if is_file(image):
        content = image if isinstance(image, _ENCODED) else _content(image, name)
        return decode(io.BytesIO(content), name, ZooValueError, max_pixels)
    if is_array(image):
        array = array_of(image, name)
        if array.ndim not in (2, 3):
            raise ZooValueError(f"{name} must be [height, width] or [height, width, channels], got shape {array.shape}")
        return eight_bits(array, name)
    raise ZooTypeError(f"{name} must be a path, bytes, a PIL image or an array, got {type(image).__name__}")


def is_file(image: Any) -> bool:
    """Tell whether this is one encoded image: a path, bytes, or an open file."""
    return isinstance(image, str | os.PathLike | _ENCODED) or (hasattr(image, "read") and not is_array(image))


def is_array(image: Any) -> bool:
    """Tell whether this is an array or a tensor of any library."""
    return isinstance(image, np.ndarray) or (hasattr(image, "__array__") and not isinstance(image, Image.Image))


def _items_of(array: np.ndarray) -> list[Any] | np.ndarray:
    if array.dtype.kind in "OUS" and array.ndim == 1:
        if not len(array):
            raise ZooValueError("images must hold at least one image, got an empty array")
        return array.tolist()
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in CHANNELS):
        return [array]
    if array.ndim not in (3, 4):
        raise ZooValueError(
            "images must be one array [height, width], [height, width, channels], [batch, height, width] or "
            f"[batch, height, width, channels], got shape {array.shape}"
        )
    if not len(array):
        raise ZooValueError(f"images must hold at least one image, got shape {array.shape}")
    return array


def _from_path(path: str | bytes, name: str, max_pixels: int) -> np.ndarray:
    path = os.fsdecode(path)
    name = f"{name} ({path})"
    if not os.path.isfile(path):
        raise ZooFileError(f"{name} {'is a folder, no image' if os.path.isdir(path) else 'does not exist'}")
    try:
        with open(path, "rb") as stream:
            return decode(stream, name, ZooFileError, max_pixels)
    except ZooError:
        raise
    except OSError as error:
        raise ZooFileError(f"{name} cannot be read: {error.strerror or error}") from error


def _content(stream: Any, name: str) -> bytes:
    try:
        content = stream.read()
    except (OSError, ValueError) as error:
        raise ZooValueError(f"{name} cannot be read: {error}") from error
    if not isinstance(content, bytes):
        raise ZooTypeError(f"{name} must be a file opened in binary mode, got one that gives {type(content).__name__}")
    return content
