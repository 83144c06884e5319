"""Pictures of attention: words coloured by weight, and maps of every head."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from attention_zoo.errors import ZooValueError
from attention_zoo.files import write_bytes
from attention_zoo.visualise import segments as say
from attention_zoo.visualise.explanation import as_maps
from attention_zoo.visualise.fonts import Fonts, vertical
from attention_zoo.visualise.palette import INK, MAP_LIGHT, MUTED, PAPER, ramp
from attention_zoo.visualise.sheet import Sheet, encode, paint_png, paint_svg
from attention_zoo.visualise.strips import EFFECT_NOTE, WIDTH, Strip, add_strip, add_warning, attention_strip

if TYPE_CHECKING:
    from attention_zoo.text import Token

LABELLED = 60  # tokens: up to here a map's edges carry the words
PANEL = 512  # pixels: the largest side of a map drawn without words
LONGEST_LABEL = 14
NUDGE = 2.0  # pixels for each unit


def token_strip(
    tokens: Sequence["Token | str"],
    weights: np.ndarray,
    path: str | os.PathLike,
    *,
    text: str | None = None,
    title: str | None = None,
    diverging: bool = False,
) -> Path:
    """Draw words coloured by their weight.

    Args:
        tokens: words, or pieces with `text` (and `start`, `end` where `text` is given).
        weights: one number a token; 0..1 for attention, -1..1 for effects.
        path: `.png` or `.svg`.
        text: the whole text, so that what lies between the tokens is shown too.
        title: words above the strip (by default what the colours are).
        diverging: True for effects: numbers below 0 get a colour of their own.

    Returns:
        The path written.

    Raises:
        ZooValueError: if weights are not finite, not one a token, or below 0 where `diverging` is False; or for
            another suffix.
    """
    values = say.check_values("weights", weights, len(tokens))
    if not diverging and values.size and values.min() < 0:
        raise ZooValueError(f"weights must be 0 or more (or give diverging=True), got {values.min():.4g}")
    painters = {".png": paint_png, ".svg": paint_svg}
    suffix = Path(path).suffix.lower()
    if suffix not in painters:
        raise ZooValueError(f"path must end in .png or .svg, got {str(path)!r}")
    strip = attention_strip(values)
    if diverging:
        strip = Strip("What moved the score", values, say.effect_scale([values]), True, EFFECT_NOTE)
    strip = Strip(title or strip.title, values, strip.scale, diverging, strip.note)
    parts = say.plain_segments(tokens) if text is None else say.segments(text, tokens)
    shown = "".join(part.text for part in parts) + strip.title
    sheet = Sheet(WIDTH, strip.title, Fonts(sample=shown))
    bottom = add_strip(sheet, 46.0, strip, parts)
    add_warning(sheet, bottom, shown)
    return write_bytes(path, painters[suffix](sheet))


def map_grid(
    tokens: Sequence["Token | str"], maps: np.ndarray, path: str | os.PathLike, *, title: str = "Attention"
) -> Path:
    """Draw the map of every head: rows are queries (who looks), columns are keys (what is looked at).

    Up to 60 tokens the edges carry the words and all heads share one scale; above, the edges carry positions at round
    steps and each head has a scale of its own, from 0 to its largest weight, which stands beside its name. A map
    wider than 512 is drawn with one pixel for the largest weight of each block, so that a thin line is not lost.

    Args:
        tokens: words, or pieces with `text`; may be empty where only positions matter.
        maps: `[head, query, key]`, or `[head, key]` for pooling.
        path: `.png`.
        title: words above the maps.

    Returns:
        The path written.

    Raises:
        ZooValueError: if maps are empty, not finite or below 0, or for another suffix.

    Cost: time heads x queries x keys, about 1 second for 8 heads of 4,096 x 4,096 on one core.
    """
    if Path(path).suffix.lower() != ".png":
        raise ZooValueError(f"path must end in .png, got {str(path)!r}")
    words = [token if isinstance(token, str) else token.text for token in tokens]
    return write_bytes(path, encode(_grid(words, as_maps(maps), title), NUDGE))


@dataclass(frozen=True)
class _Plan:
    """Where things lie, in pixels."""

    width: int  # of one map
    height: int
    left: int  # room for the queries' names
    top: int  # room for the head's and the keys' names
    columns: int  # maps side by side
    shape: tuple[int, int]  # queries, keys


def _grid(words: list[str], maps: np.ndarray, title: str) -> Image.Image:
    fonts = Fonts(NUDGE, " ".join(words[:LABELLED]) + title)
    heads, queries, keys = maps.shape
    small, step = shrink(maps, PANEL)
    rows = _names(words, queries)
    columns = _names(words, keys)
    plan = _plan(fonts, rows, columns, maps.shape, small.shape)
    # One sharp head would leave the others white on long texts: there each head has its own scale, and says it.
    own = max(maps.shape[1:]) > LABELLED and heads > 1
    scales = small.max(axis=(1, 2)) if own else np.full(heads, small.max())
    down = -(-heads // plan.columns)
    size = (
        max(56 + plan.columns * (plan.left + plan.width + 40), 1120),
        150 + down * (plan.top + plan.height + 44),
    )
    picture = Image.new("RGB", size, PAPER)
    _heading(picture, fonts, (title, _note(maps.shape, step)), "each head's largest" if own else f"{scales[0]:.3g}")
    for head in range(heads):
        across, line = head % plan.columns, head // plan.columns
        x = 56 + across * (plan.left + plan.width + 40) + plan.left
        y = 128 + line * (plan.top + plan.height + 44) + plan.top
        _panel(picture, small[head] / (scales[head] or 1.0), (x, y), plan)
        if heads > 1:
            name = f"head {head + 1}" + (f"   largest {scales[head]:.3g}" if own else "")
            _text(picture, fonts, (x, y - plan.top + 26), name, 12, INK)
        _edges(picture, fonts, (x, y), plan, (rows, columns))
    missing = fonts.warning("".join(words) if len(words) <= LABELLED else "")
    if missing:
        _text(picture, fonts, (56, size[1] - 14), missing, 10, "#a33c00")
    return picture


def shrink(maps: np.ndarray, largest: int) -> tuple[np.ndarray, int]:
    """Keep the largest weight of each block, so that no side is longer than `largest`.

    Args:
        maps: `[head, query, key]`.
        largest: the longest side wanted.

    Returns:
        The maps, float32, and the side of a block (1: nothing was joined).
    """
    step = -(-max(maps.shape[1:]) // largest)
    if step == 1:
        return maps.astype(np.float32), 1
    rows = np.arange(0, maps.shape[1], step)
    columns = np.arange(0, maps.shape[2], step)
    joined = [np.maximum.reduceat(np.maximum.reduceat(one, rows, axis=0), columns, axis=1) for one in maps]
    return np.stack(joined).astype(np.float32), step


def _names(words: list[str], count: int) -> dict[int, str]:
    """Return what stands at an edge: every word, or positions at round steps."""
    if count == 1:
        return {}
    if count == len(words) and count <= LABELLED:
        short = [word if len(word) <= LONGEST_LABEL else word[: LONGEST_LABEL - 1] + "…" for word in words]
        return dict(enumerate(say.printable(word) for word in short))
    step = next(
        part * 10**power for power in range(9) for part in (1, 2, 5) if count / (part * 10**power) <= 8 or power == 8
    )
    return {place: str(place) for place in range(0, count, step)}


def _plan(
    fonts: Fonts, rows: dict[int, str], columns: dict[int, str], full: tuple[int, ...], small: tuple[int, ...]
) -> _Plan:
    heads, queries, keys = small
    longest = max(queries, keys)
    worded = max(full[1:]) <= LABELLED
    cell = float(np.clip(640 // longest, 22, 48)) if worded else PANEL / longest
    left = 16 + round(max([fonts.measure(name, 10) * NUDGE for name in rows.values()], default=0))
    long_names = worded and any(not name.isdigit() for name in columns.values())
    top = 44 + round(max([fonts.measure(name, 10) * NUDGE for name in columns.values()], default=0) * long_names)
    top += 0 if long_names else 24
    width, height = max(round(cell * keys), 1), max(round(cell * queries), 22)
    fit = max(1, 3200 // (left + width + 40))
    square = max(1, round(np.sqrt(1.5 * heads * (height + top) / (width + left))))
    return _Plan(width, height, left, top, min(heads, fit, square), full[1:])


def _panel(picture: Image.Image, values: np.ndarray, place: tuple[int, int], plan: _Plan) -> None:
    colours = Image.fromarray(ramp(values, MAP_LIGHT))
    picture.paste("#b9bec6", (place[0] - 2, place[1] - 2, place[0] + plan.width + 2, place[1] + plan.height + 2))
    picture.paste(colours.resize((plan.width, plan.height), Image.Resampling.NEAREST), place)


def _edges(
    picture: Image.Image,
    fonts: Fonts,
    place: tuple[int, int],
    plan: _Plan,
    names: tuple[dict[int, str], dict[int, str]],
) -> None:
    """Write the queries at the left and the keys above; words above are turned."""
    rows, columns = names
    cell_x, cell_y = plan.width / plan.shape[1], plan.height / plan.shape[0]
    for index, name in rows.items():
        width = fonts.measure(name, 10) * NUDGE
        _text(picture, fonts, (place[0] - 8 - width, place[1] + (index + 0.5) * cell_y + 7), name, 10, MUTED)
    turned = any(not name.isdigit() for name in columns.values())
    for index, name in columns.items():
        middle = place[0] + (index + 0.5) * cell_x
        if turned:
            label = vertical(fonts, name, 10, MUTED)
            corner = (round(middle - label.width / 2), place[1] - 8 - label.height)
            picture.paste(label, corner, label)
        else:
            width = fonts.measure(name, 10) * NUDGE
            _text(picture, fonts, (middle - width / 2, place[1] - 10), name, 10, MUTED)


def _note(shape: tuple[int, ...], step: int) -> str:
    heads, queries, keys = shape
    note = f"{heads} x {queries} x {keys} (head, query, key): "
    note += "rows look, columns are looked at" if queries > 1 else "columns are looked at"
    return note + (f"; each pixel is the largest of {step} x {step} weights" if step > 1 else "")


def _heading(picture: Image.Image, fonts: Fonts, titles: tuple[str, str], end: str) -> None:
    _text(picture, fonts, (56, 56), titles[0], 15, INK)
    _text(picture, fonts, (56, 90), titles[1], 11, MUTED)
    right = picture.width - 40 - fonts.measure(end, 11) * NUDGE
    left = round(right - 212)
    bar = ramp(np.linspace(0, 1, 200)[None].repeat(22, axis=0), MAP_LIGHT)
    picture.paste("#b9bec6", (left - 2, 36, left + 202, 62))
    picture.paste(Image.fromarray(bar), (left, 38))
    _text(picture, fonts, (right, 56), end, 11, MUTED)
    _text(picture, fonts, (left - 22, 56), "0", 11, MUTED)


def _text(picture: Image.Image, fonts: Fonts, place: tuple[float, float], text: str, size: float, fill: str) -> None:
    fonts.draw(ImageDraw.Draw(picture), (place[0] / NUDGE, place[1] / NUDGE), text, size, fill)
