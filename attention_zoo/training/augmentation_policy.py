"""RandAugment: a few operations drawn for each picture from one list, all of one strength."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from attention_zoo.errors import ZooValueError
from attention_zoo.training.augmentation_steps import Step, within


def _affine(picture: Image.Image, rows: tuple[float, ...], fill: int) -> Image.Image:
    outside = fill if picture.mode == "L" else (fill,) * 3
    return picture.transform(
        picture.size, Image.Transform.AFFINE, rows, resample=Image.Resampling.BILINEAR, fillcolor=outside
    )


def _rotate(picture: Image.Image, strength: float, fill: int) -> Image.Image:
    turn = np.deg2rad(30 * strength)
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    x, y = picture.width / 2, picture.height / 2
    rows = (cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y)
    return _affine(picture, rows, fill)


def _posterize(picture: Image.Image, strength: float, _: int) -> Image.Image:
    return ImageOps.posterize(picture, 8 - round(4 * abs(strength)))


def _solarize(picture: Image.Image, strength: float, _: int) -> Image.Image:
    return ImageOps.solarize(picture, round(256 * (1 - abs(strength))))


def _enhance(kind: type) -> Callable:
    return lambda picture, strength, _: kind(picture).enhance(1 + 0.9 * strength)


# Strength is -1..1; at 1 each does as much as at most in AutoAugment (arXiv:1805.09501).
OPERATIONS: dict[str, Callable[[Image.Image, float, int], Image.Image]] = {
    "identity": lambda picture, strength, fill: picture,
    "autocontrast": lambda picture, strength, fill: ImageOps.autocontrast(picture),
    "equalize": lambda picture, strength, fill: ImageOps.equalize(picture),
    "rotate": _rotate,
    "shear_x": lambda picture, strength, fill: _affine(picture, (1, 0.3 * strength, 0, 0, 1, 0), fill),
    "shear_y": lambda picture, strength, fill: _affine(picture, (1, 0, 0, 0.3 * strength, 1, 0), fill),
    "translate_x": lambda picture, strength, fill: _affine(
        picture, (1, 0, 0.45 * strength * picture.width, 0, 1, 0), fill
    ),
    "translate_y": lambda picture, strength, fill: _affine(
        picture, (1, 0, 0, 0, 1, 0.45 * strength * picture.height), fill
    ),
    "solarize": _solarize,
    "posterize": _posterize,
    "contrast": _enhance(ImageEnhance.Contrast),
    "brightness": _enhance(ImageEnhance.Brightness),
    "sharpness": _enhance(ImageEnhance.Sharpness),
    "color": _enhance(ImageEnhance.Color),
}


@dataclass(frozen=True)
class RandAugment(Step):
    """Apply operations drawn at random to each picture, grey (all but "color") or of three colours.

    Keras's own layer draws its operations once for a whole batch, and computes all of them to keep one: see
    `attention_zoo.training.augmentation` for what that costs.

    Args:
        operations: how many are applied to each picture, one after the other, at least 1.
        magnitude: how strong they are, 0 (hardly anything) to 1; the paper's M of 30 is M / 30.
        fill: grey level of what a shift brings in, 0..255.

    Cost: about 5 ms for 128 pictures of 28 x 28 and two operations on one core, by Pillow.
    Source: Cubuk et al. 2020, arXiv:1909.13719. Differs: the direction of each is drawn too.
    """

    operations: int = 2
    magnitude: float = 0.3
    fill: int = 0

    def __post_init__(self):
        within("operations", self.operations, 1)
        within("magnitude", self.magnitude, 0, 1)
        within("fill", self.fill, 0, 255)
        for name in ("operations", "fill"):
            object.__setattr__(self, name, int(getattr(self, name)))

    def __call__(self, pixels, targets, generator):
        channels = pixels.shape[-1]
        if channels not in (1, 3):
            raise ZooValueError(f"rand_augment must be given pictures of 1 or 3 channels, got {channels}")
        known = list(OPERATIONS.values())[: None if channels == 3 else -1]
        shape = (len(pixels), self.operations)
        chosen = generator.integers(0, len(known), size=shape)
        strengths = self.magnitude * generator.choice([-1.0, 1.0], size=shape)
        changed = np.empty_like(pixels)
        for row, picture in enumerate(pixels):
            drawn = Image.fromarray(picture[..., 0] if channels == 1 else picture)
            for number, strength in zip(chosen[row], strengths[row]):
                drawn = known[number](drawn, float(strength), self.fill)
            changed[row] = np.asarray(drawn).reshape(picture.shape)
        return changed, targets
