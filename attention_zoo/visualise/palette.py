"""The colours of every picture: safe for colour-blind eyes and even to the eye.

The hues are Okabe and Ito's (2008, "Color Universal Design"), which people with any common colour blindness tell
apart: bluish green for attention, orange for what speaks for a class, sky blue for what speaks against it. Between
the ends, colours are mixed in OKLab (Ottosson 2020), where equal steps look equally large. Marker colours stay so
light (in dark pages: so dark) that the text on them keeps a contrast of at least 4.5 to 1 (WCAG 2.1, 1.4.3).
"""

import functools

import numpy as np

PAPER = "#ffffff"
INK = "#1b1c1f"
MUTED = "#5f636b"
RULE = "#dfe1e5"
LOOK = "#1fae85"
FOR = "#eba21a"
AGAINST = "#5cb0ea"

DARK = {
    "paper": "#15171a",
    "ink": "#eceef1",
    "muted": "#a3a8b1",
    "rule": "#33373e",
    "look": "#007355",
    "for": "#955a00",
    "against": "#1668a3",
}
LIGHT = {
    "paper": PAPER,
    "ink": INK,
    "muted": MUTED,
    "rule": RULE,
    "look": LOOK,
    "for": FOR,
    "against": AGAINST,
}

MAP_LIGHT = (PAPER, "#1b9e78", "#00241a")
MAP_DARK = (DARK["paper"], "#12805f", "#c9ffe9")
STEPS = 1024  # colours that are told apart between two ends

_TO_CONE = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def from_hex(colour: str) -> np.ndarray:
    """Return `#rrggbb` as three numbers of 0..1."""
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255.0


def to_hex(colour: np.ndarray) -> str:
    """Return three numbers of 0..255 as `#rrggbb`."""
    return "#" + "".join(f"{int(part):02x}" for part in colour)


def _linear(colour: np.ndarray) -> np.ndarray:
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def to_oklab(colour: np.ndarray) -> np.ndarray:
    """Turn sRGB of 0..1 `[..., 3]` into OKLab (lightness, green to red, blue to yellow)."""
    return np.cbrt(_linear(colour) @ _TO_CONE.T) @ _TO_LAB.T


def from_oklab(colour: np.ndarray) -> np.ndarray:
    """Turn OKLab `[..., 3]` into sRGB of 0..255, clipped to what a screen can show."""
    linear = np.clip((colour @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_CONE).T, 0.0, 1.0)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * curved).astype(np.uint8)


def ramp(values: np.ndarray, stops: tuple[str, ...]) -> np.ndarray:
    """Colour numbers along stops that lie at equal distances.

    Args:
        values: any shape, 0 (first stop) to 1 (last stop); what lies outside takes the end's colour.
        stops: two or more `#rrggbb`.

    Returns:
        uint8 array of the shape of `values` + [3].
    """
    table = _table(tuple(stops))
    index = np.rint(np.clip(values, 0.0, 1.0) * (len(table) - 1)).astype(np.int32)
    return table[index]


@functools.cache
def _table(stops: tuple[str, ...]) -> np.ndarray:
    """Return the colours along stops, in equal steps; made once, for a long text asks for one a word."""
    corners = to_oklab(np.stack([from_hex(stop) for stop in stops]))
    steps, places = np.linspace(0.0, 1.0, STEPS), np.linspace(0.0, 1.0, len(stops))
    return from_oklab(np.stack([np.interp(steps, places, corners[:, part]) for part in range(3)], axis=-1))


def marker(value: float, diverging: bool = False) -> str:
    """Return the colour behind a word on paper.

    Args:
        value: 0..1 for attention; -1..1 for an effect (`diverging`), where above 0 speaks for the class.
    """
    end = LOOK if not diverging else FOR if value >= 0 else AGAINST
    return to_hex(ramp(np.array(abs(value)), (PAPER, end)))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1 (none) to 21 (black on white), as WCAG 2.1 defines it."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(_linear(from_hex(colour)) @ weights) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)
