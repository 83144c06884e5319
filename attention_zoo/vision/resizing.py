"""Bring 8-bit images to one size and number of channels."""

import numpy as np
from PIL import Image

from attention_zoo.vision.arrays import luminance

FILTERS = {
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
FITS = ("stretch", "crop", "pad")


def with_channels(array: np.ndarray, channels: int, is_grey: bool) -> np.ndarray:
    """Return images with an axis of channels: grey is repeated, colour becomes its luminance.

    Args:
        array: uint8 [..., height, width] where `is_grey`, else [..., height, width, 3].
        channels: 1 or 3.
        is_grey: which of the two.
    """
    if is_grey:
        return array[..., None] if channels == 1 else np.repeat(array[..., None], channels, axis=-1)
    return array if channels == 3 else luminance(array)[..., None]


def fitted(array: np.ndarray, height: int, width: int, resize: str, fit: str, fill: int) -> np.ndarray:
    """Bring one image to a size; one of that size is returned as it is.

    Args:
        array: uint8 [height, width, 1 or 3], of any size.
        height, width: wanted (pixels).
        resize: a name of `FILTERS`; all but "nearest" average over what becomes one pixel.
        fit: "stretch" to the size; "crop" the middle, of the wanted proportions; "pad" with `fill` to them.
        fill: grey level of what is added, 0 to 255.

    Returns:
        uint8 [height, width, channels].
    """
    if array.shape[:2] == (height, width):
        return array
    if fit == "pad":
        return _padded(array, height, width, resize, fill)
    return _resized(array, height, width, resize, _middle(array, height, width) if fit == "crop" else None)


def _padded(array: np.ndarray, height: int, width: int, resize: str, fill: int) -> np.ndarray:
    scale = min(height / array.shape[0], width / array.shape[1])
    inner = [max(1, round(side * scale)) for side in array.shape[:2]]
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    picture = np.full((height, width, array.shape[-1]), fill, np.uint8)
    picture[top : top + inner[0], left : left + inner[1]] = _resized(array, *inner, resize, None)
    return picture


def _middle(array: np.ndarray, height: int, width: int) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the largest middle part with the proportions of the wanted size."""
    high, wide = array.shape[:2]
    scale = min(high / height, wide / width)
    top, left = (high - height * scale) / 2, (wide - width * scale) / 2
    return max(left, 0.0), max(top, 0.0), min(left + width * scale, wide), min(top + height * scale, high)


def _resized(array: np.ndarray, height: int, width: int, resize: str, box: tuple | None) -> np.ndarray:
    picture = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    found = np.asarray(picture.resize((width, height), FILTERS[resize], box))
    return found[..., None] if found.ndim == 2 else found
