"""Image files to 8-bit arrays, by Pillow; what is damaged, too large or no image is one sentence."""

import re
import warnings
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from attention_zoo.errors import ZooError, ZooValueError
from attention_zoo.vision.arrays import eight_bits, from_sixteen_bits, on_white

# As many as Pillow itself takes without a warning: a quarter of a gigabyte of red, green and blue.
MAX_PIXELS = 89_478_485
# Pixels only: no format whose reader starts another program, or takes any bytes for an image.
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PREMULTIPLIED = {"RGBa": "RGBA", "La": "LA"}


def decode(stream: IO[bytes], name: str, kind: type[ZooError], max_pixels: int) -> np.ndarray:
    """Decode a file.

    Args:
        stream: the file, at its beginning.
        name: what errors call it.
        kind: of the error for a file that is no image or damaged.
        max_pixels: most pixels (height x width).

    Returns:
        uint8 [height, width] or [height, width, 3].
    """
    try:
        picture = Image.open(stream, formats=_formats())
    except UnidentifiedImageError as error:
        read = ", ".join(FORMATS)
        raise kind(f"{name} is no image, or too damaged to tell its format; read are {read}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, error, max_pixels) from error
    except Exception as error:  # damaged bytes lead a reader to raise almost anything
        raise kind(f"{name} is damaged: {error}") from error
    width, height = picture.size
    if width * height > max_pixels:
        raise ZooValueError(
            f"{name} must have at most {max_pixels:,} pixels, got {width:,} x {height:,}; make it smaller, or raise "
            "max_pixels"
        )
    pixels = pixels_of(picture, name, kind)
    if _is_animated(picture):
        warnings.warn(f"{name} has several frames; the first is taken", UserWarning, stacklevel=2)
    return pixels


def pixels_of(picture: Image.Image, name: str, kind: type[ZooError]) -> np.ndarray:
    """Return a PIL image (its current frame) as uint8 [height, width] or [height, width, 3], upright.

    Args:
        picture: perhaps not loaded yet.
        name: what errors call it.
        kind: of the error for one that is damaged.
    """
    if 0 in picture.size:
        raise ZooValueError(f"{name} must have at least one pixel, got {picture.width} x {picture.height}")
    try:
        picture.load()
        picture = _upright(picture)
        if picture.mode == "F":
            return eight_bits(np.asarray(picture), name)
        if picture.mode.startswith("I"):
            return from_sixteen_bits(np.asarray(picture), name)
        return _eight_bits(picture)
    except ZooError:
        raise
    except Exception as error:  # damaged bytes lead a reader to raise almost anything
        raise kind(f"{name} is damaged, or of a kind that cannot be read: {error}") from error


def _is_animated(picture: Image.Image) -> bool:
    """Tell whether there are further frames; a photograph that holds its own preview (MPO) has none."""
    try:
        return picture.format != "MPO" and getattr(picture, "is_animated", False)
    except Exception:  # the first frame is whole, and what comes behind it is not asked for
        return False


def _eight_bits(picture: Image.Image) -> np.ndarray:
    picture = picture.convert(_PREMULTIPLIED[picture.mode]) if picture.mode in _PREMULTIPLIED else picture
    if picture.mode in ("LA", "RGBA"):
        return _flat(on_white(np.asarray(picture)))
    if picture.mode == "PA" or "transparency" in picture.info:
        return _flat(on_white(np.asarray(picture.convert("LA" if picture.mode in ("1", "L") else "RGBA"))))
    return np.array(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))


def _flat(array: np.ndarray) -> np.ndarray:
    return array[..., 0] if array.shape[-1] == 1 else array


def _upright(picture: Image.Image) -> Image.Image:
    """Turn and mirror as the EXIF says."""
    try:
        turn = _UPRIGHT.get(picture.getexif().get(_ORIENTATION))
    except Exception:  # notes that nobody can read say nothing of how the picture was held
        turn = None
    return picture if turn is None else picture.transpose(turn)


def _formats() -> list[str]:
    """Return those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _too_large(name: str, error: Exception, max_pixels: int) -> ZooValueError:
    """Say what Pillow found too large; its own limit stands above ours, and only the user may lift it."""
    counted = re.search(r"\d+", str(error))
    found = f"{int(counted[0]):,}" if counted else "many more"
    return ZooValueError(
        f"{name} must have at most {max_pixels:,} pixels, got {found}; make it smaller, or raise max_pixels and "
        "PIL.Image.MAX_IMAGE_PIXELS"
    )
