"""Steps that change a batch of pictures by NumPy alone: a shift, a mirror, a hole, a mixture."""

from dataclasses import asdict, dataclass

import numpy as np

from attention_zoo.errors import ZooValueError

PADS = {"zero": "constant", "edge": "edge", "reflect": "reflect"}


def within(name: str, value: float, low: float, high: float = np.inf, *, open_low: bool = False) -> None:
    """Say so if a setting is no number from `low` (or above it, `open_low`) to `high`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or (open_low and value == low):
        wanted = f"above {low:g}" if open_low else f"at least {low:g}"
        wanted += "" if high == np.inf else f" and at most {high:g}"
        raise ZooValueError(f"{name} must be a number {wanted}, got {value!r}")


def span(name: str, pair: tuple[float, float], low: float, high: float = np.inf) -> None:
    """Say so if a setting is no pair of numbers, smaller first, above `low` and at most `high`."""
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not pair[0] <= pair[1]:
        raise ZooValueError(f"{name} must be two numbers, the smaller first, got {pair!r}")
    for value in pair:
        within(name, value, low, high, open_low=True)


class Step:
    """A step of an augmentation: `(pixels, targets, generator) -> (pixels, targets)`.

    Pixels are uint8 [batch, height, width, channels] and keep their shape; what comes in is never changed in place.

    Attributes:
        mixes: whether targets become shares of several labels.
    """

    mixes = False

    def settings(self) -> dict:
        """Return the settings as plain numbers and words."""
        return asdict(self)


@dataclass(frozen=True)
class Flip(Step):
    """Mirror a picture left to right, or `vertical` upside down.

    Args:
        probability: of each picture, 0..1.
        vertical: True turns upside down instead.
    """

    probability: float = 0.5
    vertical: bool = False

    def __post_init__(self):
        within("probability", self.probability, 0, 1)

    def __call__(self, pixels, targets, generator):
        chosen = generator.random(len(pixels)) < self.probability
        changed = pixels.copy()
        changed[chosen] = pixels[chosen, ::-1] if self.vertical else pixels[chosen, :, ::-1]
        return changed, targets


@dataclass(frozen=True)
class Crop(Step):
    """Shift a picture by up to `padding` pixels to each side: pad it, and cut it at a random place.

    Args:
        padding: pixels, at least 1.
        fill: what stands outside: "zero", "edge" (the last pixel again) or "reflect".
    """

    padding: int = 4
    fill: str = "zero"

    def __post_init__(self):
        within("padding", self.padding, 1)
        if self.fill not in PADS:
            raise ZooValueError(f"fill must be one of {', '.join(PADS)}, got {self.fill!r}")
        object.__setattr__(self, "padding", int(self.padding))

    def __call__(self, pixels, targets, generator):
        batch, height, width, _ = pixels.shape
        edge = (self.padding, self.padding)
        padded = np.pad(pixels, ((0, 0), edge, edge, (0, 0)), mode=PADS[self.fill])
        places = generator.integers(0, 2 * self.padding + 1, size=(batch, 2))
        changed = np.empty_like(pixels)
        for new, old, (down, across) in zip(changed, padded, places):
            new[:] = old[down : down + height, across : across + width]
        return changed, targets


@dataclass(frozen=True)
class Erase(Step):
    """Cover a rectangle of a picture, so that no one spot decides.

    Args:
        probability: of each picture, 0..1.
        area: least and largest share of the picture, 0..1.
        aspect: least and largest height over width.
        fill: "noise" (each pixel of its own), or a grey level 0..255.

    Source: Zhong et al. 2017, arXiv:1708.04896. Differs: a side longer than the picture is cut, not drawn again.
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.33)
    aspect: tuple[float, float] = (0.3, 3.3)
    fill: str | int = "noise"

    def __post_init__(self):
        within("probability", self.probability, 0, 1)
        span("area", self.area, 0, 1)
        span("aspect", self.aspect, 0)
        if self.fill != "noise":
            within('fill must be "noise" or a grey level, which', self.fill, 0, 255)

    def __call__(self, pixels, targets, generator):
        batch, height, width, channels = pixels.shape
        chosen = generator.random(batch) < self.probability
        sides = np.sqrt(generator.uniform(*self.area, size=batch) * height * width)
        aspect = np.exp(0.5 * generator.uniform(*np.log(self.aspect), size=batch))
        tall = np.clip(np.rint(sides * aspect), 1, height).astype(int)
        wide = np.clip(np.rint(sides / aspect), 1, width).astype(int)
        top, left = generator.integers(0, height - tall + 1), generator.integers(0, width - wide + 1)
        changed = pixels.copy()
        for row in np.flatnonzero(chosen):
            shape = (tall[row], wide[row], channels)
            hole = generator.integers(0, 256, shape, dtype=np.uint8) if self.fill == "noise" else self.fill
            changed[row, top[row] : top[row] + tall[row], left[row] : left[row] + wide[row]] = hole
        return changed, targets


def blend(targets: np.ndarray, partners: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return kept x target + (1 - kept) x the partner's target, float32 [batch, labels]."""
    kept = kept.astype(np.float32)[:, None]
    return kept * targets.astype(np.float32, copy=False) + (1 - kept) * targets[partners]


@dataclass(frozen=True)
class MixUp(Step):
    """Lay a picture over another one of the batch; the target is mixed in the same shares.

    pixels = k pixels + (1 - k) partner,  k ~ Beta(alpha, alpha), of each picture its own

    Args:
        alpha: above 0; larger mixes more evenly.
        probability: of each picture, 0..1.

    Source: Zhang et al. 2018, arXiv:1710.09412. Differs: a share for each picture, where the paper's code draws one for
    the batch; pixels are rounded to whole levels.
    """

    alpha: float = 0.2
    probability: float = 1.0
    mixes = True

    def __post_init__(self):
        within("alpha", self.alpha, 0, open_low=True)
        within("probability", self.probability, 0, 1)

    def __call__(self, pixels, targets, generator):
        partners = generator.permutation(len(pixels))
        kept = generator.beta(self.alpha, self.alpha, size=len(pixels)).astype(np.float32)
        kept[generator.random(len(pixels)) >= self.probability] = 1.0
        share = kept[:, None, None, None]
        mixed = share * pixels + (1 - share) * pixels[partners]
        return np.rint(mixed).astype(np.uint8), blend(targets, partners, kept)


@dataclass(frozen=True)
class CutMix(Step):
    """Put a rectangle of another picture of the batch into a picture; the target is mixed by the areas.

    Args:
        alpha: above 0; the share kept is drawn from Beta(alpha, alpha), and 1 is even over 0..1.
        probability: of each picture, 0..1.

    Source: Yun et al. 2019, arXiv:1905.04899. Differs: a rectangle for each picture, where the paper's code draws one
    for the batch.
    """

    alpha: float = 1.0
    probability: float = 1.0
    mixes = True

    def __post_init__(self):
        within("alpha", self.alpha, 0, open_low=True)
        within("probability", self.probability, 0, 1)

    def __call__(self, pixels, targets, generator):
        batch, height, width, _ = pixels.shape
        partners = generator.permutation(batch)
        side = np.sqrt(1 - generator.beta(self.alpha, self.alpha, size=batch))
        side[generator.random(batch) >= self.probability] = 0.0
        edges = []
        for length in (height, width):
            middle, half = generator.integers(0, length, size=batch), np.rint(side * length).astype(int)
            low = middle - half // 2
            edges.append((np.clip(low, 0, length), np.clip(low + half, 0, length)))
        (top, bottom), (left, right) = edges
        changed = pixels.copy()
        for row in np.flatnonzero(side):
            window = (slice(top[row], bottom[row]), slice(left[row], right[row]))
            changed[row][window] = pixels[partners[row]][window]
        kept = 1 - (bottom - top) * (right - left) / (height * width)
        return changed, blend(targets, partners, kept)
