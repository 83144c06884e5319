"""Heat over pictures: where a model looked, and what moved a score.

The picture below is shown in grey and a little lifted, so that colour says one thing only; heat is one hue, and how
much of it lies on a place is its number: nothing where it is 0. Tiny pictures are enlarged with hard edges.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from attention_zoo.errors import ZooValueError
from attention_zoo.files import write_bytes
from attention_zoo.visualise import segments as say
from attention_zoo.visualise.fonts import Fonts
from attention_zoo.visualise.palette import DARK, LIGHT, from_hex, from_oklab, to_oklab
from attention_zoo.visualise.sheet import Sheet, paint_png, paint_svg

HEAT = {"look": "#2be8b0", "for": "#ffb01f", "against": "#58b7ff"}
DIMMEST, BRIGHTEST = 0.20, 0.74  # OKLab lightness of black and of white under heat
MIDDLE = "#7d7d7d"  # a middling ground, for the bar of the legend
STRONGEST = 0.85  # how much of the picture the fullest heat hides
GAP = 20.0  # between the pictures of a sheet
SIDE = 336  # pixels: what a tiny picture is enlarged to


def as_rgb(image: np.ndarray, name: str = "image") -> np.ndarray:
    """Return a picture as uint8 [height, width, 3].

    Args:
        image: uint8, or float of 0..1; [height, width], [height, width, 1] or [height, width, 3].
        name: the argument, for the sentence.

    Raises:
        ZooValueError: if it is none of these.
    """
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] != 3) or not array.size:
        raise ZooValueError(f"{name} must be [height, width] or [height, width, 3], got {array.shape}")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ZooValueError(f"{name} of floats must be finite and from 0 to 1")
        array = np.rint(255 * array).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ZooValueError(f"{name} must be uint8, or float of 0..1, got {array.dtype}")
    return np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array


def check_map(values: object, name: str = "values", *, diverging: bool = True) -> np.ndarray:
    """Return a map as float64 [height, width].

    Raises:
        ZooValueError: if it is not, or holds what is not finite, or is below 0 where it is not `diverging`.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ZooValueError(f"{name} must be numbers [height, width], got {values!r:.80}") from error
    if array.ndim != 2 or not array.size:
        raise ZooValueError(f"{name} must be [height, width], got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ZooValueError(f"{name} must be finite")
    if not diverging and array.min() < 0:
        raise ZooValueError(f"{name} must be 0 or more, got least {array.min():.4g}")
    return array


def shown_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """Return (width, height) in pixels: enlarged by a whole number, or shrunk, to at most about `side`."""
    longest = max(height, width)
    if longest <= side:
        return width * (side // longest), height * (side // longest)
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def enlarged(image: np.ndarray, side: int = SIDE) -> Image.Image:
    """Return a picture at a size to look at; tiny ones with hard edges, large ones shrunk."""
    picture = Image.fromarray(as_rgb(image))
    size = shown_size(picture.height, picture.width, side)
    kind = Image.Resampling.NEAREST if size[0] >= picture.width else Image.Resampling.LANCZOS
    return picture.resize(size, kind)


def ground(image: np.ndarray) -> np.ndarray:
    """Return a picture in lifted grey, uint8 [height, width, 3]: what heat is laid over."""
    lightness = to_oklab(as_rgb(image) / 255.0)[..., :1]
    lifted = DIMMEST + (BRIGHTEST - DIMMEST) * lightness
    return from_oklab(np.concatenate([lifted, np.zeros_like(lifted), np.zeros_like(lifted)], axis=-1))


def heat(
    values: np.ndarray,
    size: tuple[int, int],
    *,
    scale: float | None = None,
    diverging: bool = False,
    smooth: bool = True,
) -> Image.Image:
    """Return a map as a picture that is clear where the map is 0.

    Args:
        values: [height, width] of any size.
        size: (width, height) in pixels of the result.
        scale: the number that takes the full colour; the largest unless given.
        diverging: True gives numbers below 0 a hue of their own; otherwise they are clear.
        smooth: whether places between are filled evenly; False shows the map's own cells.

    Returns:
        An RGBA picture.
    """
    full = float(np.abs(values).max() if scale is None else scale) or 1.0
    shares = np.clip(np.asarray(values, dtype=np.float64) / full, -1 if diverging else 0, 1)
    kind = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    wide = np.asarray(Image.fromarray(shares.astype(np.float32)).resize(size, kind))
    hues = np.where(wide[..., None] >= 0, *(255 * from_hex(HEAT[name]) for name in _hues(diverging)))
    veil = 255 * STRONGEST * np.abs(wide)[..., None]
    return Image.fromarray(np.rint(np.concatenate([hues, veil], axis=-1)).astype(np.uint8))


def _hues(diverging: bool) -> tuple[str, str]:
    return ("for", "against") if diverging else ("look", "look")


def heat_overlay(
    image: np.ndarray,
    values: np.ndarray,
    *,
    scale: float | None = None,
    diverging: bool = False,
    smooth: bool = True,
    side: int = SIDE,
) -> Image.Image:
    """Lay a map over a picture.

    Args:
        image: uint8 (or float of 0..1) [height, width] or [height, width, 1 or 3], of any size.
        values: [height, width] of any size, stretched over the whole picture.
        scale: the number that takes the full colour; the largest unless given.
        diverging: True for effects: numbers below 0 get a hue of their own.
        smooth: False shows the map's own cells, hard-edged.
        side: pixels of the longer side, about: tiny pictures are enlarged by a whole number.

    Returns:
        An RGB picture.

    Raises:
        ZooValueError: if the picture or the map has another shape, or numbers that cannot be shown.
    """
    values = check_map(values, diverging=diverging)
    below = enlarged(ground(image), side)
    picture = below.convert("RGBA")
    picture.alpha_composite(heat(values, below.size, scale=scale, diverging=diverging, smooth=smooth))
    return picture.convert("RGB")


def legend(sheet: Sheet, place: tuple[float, float], width: float, scale: float, diverging: bool, ink: str) -> None:
    """Draw the bar of the colours with the numbers of its ends; `place` is its upper left corner.

    Args:
        sheet: drawn on.
        place: x and y.
        width: of bar and numbers together.
        scale: the number of the full colour.
        diverging: whether the bar begins at -scale.
        ink: of the numbers.
    """
    x, y = place
    low = say.long_points(-scale) if diverging else "0 %"
    high = say.long_points(scale) if diverging else say.long_percent(scale)
    left = x + sheet.label(x, y + 9, low, 11, ink) + 6
    right = x + width - sheet.label(x + width, y + 9, high, 11, ink, "right") - 6
    steps = np.linspace(-1.0 if diverging else 0.0, 1.0, 200)[None]
    bar = Image.new("RGBA", (200, 1), MIDDLE)
    bar.alpha_composite(heat(steps, bar.size, scale=1.0, diverging=diverging))
    sheet.picture(left, y, max(right - left, 1.0), 10, bar, f"colours from {low} to {high}")


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet.

    Args:
        image: uint8 (or float of 0..1) [height, width] or [height, width, 3].
        caption: words below, dark ("said Sneaker 93 %").
        note: more words below, muted ("is Sandal").
        values: map laid over it, or None for the picture as it is.
        scale: the number that takes the full colour; the largest unless given.
        diverging: True for effects.
        smooth: False shows the map's own cells.
    """

    image: np.ndarray
    caption: str = ""
    note: str = ""
    values: np.ndarray | None = None
    scale: float | None = None
    diverging: bool = False
    smooth: bool = True


def overlay_sheet(
    panels: Sequence[Panel],
    path: str | os.PathLike,
    *,
    title: str = "",
    columns: int = 4,
    dark: bool = False,
    side: int = 168,
) -> Path:
    """Draw pictures side by side, each with its heat, its scale and its words.

    Args:
        panels: at least one.
        path: `.png` or `.svg`.
        title: words above.
        columns: pictures side by side, at least 1.
        dark: whether the ground is dark.
        side: width and height of the place of a picture (1/96 inch).

    Returns:
        The path written.

    Raises:
        ZooValueError: if there is no panel, one cannot be shown, or for another suffix.
    """
    painters = {".png": paint_png, ".svg": paint_svg}
    suffix = Path(path).suffix.lower()
    if suffix not in painters:
        raise ZooValueError(f"path must end in .png or .svg, got {str(path)!r}")
    if not panels or columns < 1:
        raise ZooValueError(f"panels must be at least one and columns at least 1, got {len(panels)} and {columns}")
    colours = DARK if dark else LIGHT
    columns = min(columns, len(panels))
    words = " ".join([title, *(f"{panel.caption} {panel.note}" for panel in panels)])
    width = 2 * 28.0 + columns * side + (columns - 1) * GAP
    sheet = Sheet(width, title or "Pictures", Fonts(sample=words), paper=colours["paper"])
    y = 28.0
    if title:
        sheet.label(28, 46, sheet.fitting(title, 18, width - 56), 18, colours["ink"])
        y = 68.0
    add_rows(sheet, panels, (28.0, y), columns, side, dark)
    return write_bytes(path, painters[suffix](sheet))


def add_rows(
    sheet: Sheet, panels: Sequence[Panel], place: tuple[float, float], columns: int, side: float, dark: bool = False
) -> float:
    """Draw panels in rows, the first with its upper left corner at `place`; return where more may begin."""
    x, y = place
    for start in range(0, len(panels), columns):
        row = panels[start : start + columns]
        height = max(side * np.shape(panel.image)[0] / max(np.shape(panel.image)[:2]) for panel in row)
        below = 36.0 if any(panel.values is not None for panel in row) else 24.0
        ends = [
            _add_panel(sheet, panel, (x + number * (side + GAP), y), (side, height, below), dark)
            for number, panel in enumerate(row)
        ]
        y = max(ends)
    return y


def _add_panel(
    sheet: Sheet, panel: Panel, place: tuple[float, float], box: tuple[float, float, float], dark: bool = False
) -> float:
    colours = DARK if dark else LIGHT
    (x, y), (side, height, below) = place, box
    if panel.values is None:
        picture = enlarged(panel.image, round(2 * side))
    else:
        picture = heat_overlay(
            panel.image,
            panel.values,
            scale=panel.scale,
            diverging=panel.diverging,
            smooth=panel.smooth,
            side=round(2 * side),
        )
    larger = side / max(picture.size)
    wide, high = picture.width * larger, picture.height * larger
    left, top = x + (side - wide) / 2, y + (height - high) / 2
    # A black picture on dark paper, or a white one on white, has an edge too.
    sheet.rectangle(left - 1, top - 1, wide + 2, high + 2, colours["rule"])
    sheet.picture(left, top, wide, high, picture, f"{panel.caption} {panel.note}".strip())
    if panel.values is not None:
        scale = float(np.abs(panel.values).max() if panel.scale is None else panel.scale)
        legend(sheet, (x, y + height + 8), side, scale, panel.diverging, colours["muted"])
    y += height + below
    for words, ink in ((panel.caption, colours["ink"]), (panel.note, colours["muted"])):
        if words:
            sheet.label(x, y, sheet.fitting(words, 13, side), 13, ink)
            y += 18
    return y + 14
