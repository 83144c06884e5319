"""Arrays of any kind of numbers as 8-bit images."""

import warnings
from typing import Any

import numpy as np

from attention_zoo.errors import ZooTypeError, ZooValueError

CHANNELS = (1, 3, 4)
WHITE, DEEP_WHITE = 255, 65535
# Arithmetic leaves floats a little beyond 0 and 1: so far they are taken for 0 and 1.
_SLACK = 1e-3
# Red, green, blue by ITU-R BT.601, in parts of 65536.
_LUMINANCE = (19595, 38470, 7471)


def array_of(image: Any, name: str) -> np.ndarray:
    """Return an array or a tensor of any library as a NumPy array."""
    try:
        array = np.asarray(image)
    except Exception as error:  # each library has its own, say for a tensor that lies on another device
        raise ZooTypeError(f"{name} could not be turned into a NumPy array: {error}") from error
    if array.dtype.kind == "V" and array.dtype.names is None:  # bfloat16 and the like
        array = array.astype(np.float32)
    return array


def eight_bits(array: np.ndarray, name: str) -> np.ndarray:
    """Return images as uint8, without opacity.

    Args:
        array: [..., height, width] or [..., height, width, channels]; a last axis of 1, 3 or 4 is channels wherever
            the array has more than two axes.
        name: what errors call it.

    Returns:
        uint8 [..., height, width] or [..., height, width, 3]; the array itself where there is nothing to do.

    Raises:
        ZooValueError: if it has no pixel, another number of channels, or values that are no image.
        ZooTypeError: if it does not hold numbers.
    """
    if array.ndim > 2 and array.shape[-1] not in CHANNELS:
        hint = "; channels come last" if array.shape[-3] in CHANNELS else ""
        raise ZooValueError(f"{name} must have 1, 3 or 4 channels, got shape {array.shape}{hint}")
    if not array.size:
        raise ZooValueError(f"{name} must have at least one pixel, got shape {array.shape}")
    array = _levels(array, name)
    if array.ndim > 2:
        if array.shape[-1] == 1:
            return array[..., 0]
        if array.shape[-1] == 4:
            return on_white(array)
    return array


def on_white(array: np.ndarray) -> np.ndarray:
    """Lay images on white: uint8 [..., channels + 1], the last being opacity, to uint8 [..., channels]."""
    colour, opacity = array[..., :-1].astype(np.uint16), array[..., -1:].astype(np.uint16)
    return ((colour * opacity + WHITE * (WHITE - opacity) + WHITE // 2) // WHITE).astype(np.uint8)


def luminance(array: np.ndarray) -> np.ndarray:
    """Return the grey of colours, 0.299 red + 0.587 green + 0.114 blue: uint8 [..., 3] to uint8 [...]."""
    total = np.full(array.shape[:-1], 0x8000, np.uint32)
    for channel, share in enumerate(_LUMINANCE):
        total += array[..., channel] * np.uint32(share)
    return (total >> 16).astype(np.uint8)


def _levels(array: np.ndarray, name: str) -> np.ndarray:
    """Scale or round values to 0..255."""
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(WHITE)
    if array.dtype == np.uint16:
        return from_sixteen_bits(array, name)
    if kind in "iu":
        least, most = int(array.min()), int(array.max())
        if least < 0 or most > WHITE:
            raise ZooValueError(f"{name} must hold whole numbers from 0 to 255, got {least} to {most}")
        return array.astype(np.uint8)
    if kind == "f":
        return _from_floats(array, name)
    raise ZooTypeError(f"{name} must hold numbers, got dtype {array.dtype}")


def from_sixteen_bits(array: np.ndarray, name: str) -> np.ndarray:
    """Scale whole numbers of 0..65535 to uint8; warn where they rather look like 0..255."""
    least, most = int(array.min()), int(array.max())
    if least < 0 or most > DEEP_WHITE:
        raise ZooValueError(f"{name} has more than 8 bits and must hold 0 to 65535, got {least} to {most}")
    if 1 < most <= WHITE:
        warnings.warn(
            f"{name} has 16 bits, of which it uses 0 to {most} only: nearly black; make it uint8 if 255 is white",
            UserWarning,
            stacklevel=2,
        )
    return ((array.astype(np.uint32) * WHITE + DEEP_WHITE // 2) // DEEP_WHITE).astype(np.uint8)


def _from_floats(array: np.ndarray, name: str) -> np.ndarray:
    least, most = float(array.min()), float(array.max())
    if not np.isfinite((least, most)).all():
        raise ZooValueError(f"{name} must hold floats from 0 to 1, got NaN or infinity")
    if least < -_SLACK or most > 1 + _SLACK:
        hint = "; divide by 255" if least >= 0 and 1.5 < most <= WHITE else ""
        raise ZooValueError(f"{name} must hold floats from 0 to 1, got {least:g} to {most:g}{hint}")
    return np.rint(np.clip(array, 0, 1) * WHITE).astype(np.uint8)
