"""Lay out an alignment: source and target in full, and the matrix between their words."""

from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.alignment_words import Axis, Word, WordMatrix, coarser, column_names
from attention_zoo.visualise.explanation import SUM_TOLERANCE
from attention_zoo.visualise.flow import Column, flow
from attention_zoo.visualise.fonts import Fonts, vertical
from attention_zoo.visualise.heatmap import LABELLED, PANEL
from attention_zoo.visualise.palette import INK, MAP_LIGHT, MUTED, PAPER, RULE, contrast, ramp, to_hex
from attention_zoo.visualise.segments import segments
from attention_zoo.visualise.sheet import Label, Sheet, paint_png, paint_svg
from attention_zoo.visualise.strips import MARGIN, WIDTH, add_warning

if TYPE_CHECKING:
    from attention_zoo.visualise.alignment import Alignment

TITLE = "Where each written word looked"
NOTE = "Each row is a written word; its colours are shares of its attention"
NUMBERS = "numbers are percent, blank is under 0.5"
STOPPED = "Rows that do not reach 100 % looked nowhere with the rest."
NOTHING = "There is no word to show: nothing was written."
LARGEST, SMALLEST = 40.0, 12.5  # units: the side of a cell that carries words at its edges
NUMBERED = 24.0  # units: from here a cell carries its number
ROOM = 780.0  # units: a matrix of words is about this wide at most
FRAMES = 700  # columns of an axis that are drawn
LONGEST = 190.0  # units: a longer word is cut at the edge
SHOWN = 480  # characters of a sentence that are written out
FAINTEST = 0.01  # of the full colour: what is fainter looks like paper, and is not drawn unless it has a number
LARGEST_PICTURE = max(PANEL, FRAMES)  # pixels: a matrix is joined into blocks above
PITCH = 13.0  # units between two names at an edge, at least


@dataclass
class Drawing:
    """A sheet, and the labels that are turned to read from bottom to top (`x` is their baseline, `y` their start)."""

    sheet: Sheet
    turned: list[Label] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """Where the matrix lies, in units."""

    x: float
    y: float
    across: float  # width of a column
    down: float  # height of a row
    top: float  # room for the names above


def png(alignment: "Alignment") -> bytes:
    """Return the picture of an alignment as the bytes of a PNG."""
    drawing = compose(alignment)
    sheet = drawing.sheet
    for label in drawing.turned:
        clear = vertical(sheet.fonts, label.text, label.size, label.fill)
        image = Image.new("RGB", clear.size, PAPER)
        image.paste(clear, mask=clear)
        width, height = (side / sheet.fonts.scale for side in image.size)
        sheet.picture(label.x - 1.1 * label.size, label.y - height, width, height, image)
    return paint_png(sheet)


def svg(alignment: "Alignment") -> bytes:
    """Return the picture of an alignment as SVG, whose turned words are words."""
    drawing = compose(alignment)
    turned = "\n".join(
        f'<text transform="translate({label.x:.1f} {label.y:.1f}) rotate(-90)" font-size="{label.size:g}" '
        f'fill="{label.fill}" textLength="{label.width:.1f}" lengthAdjust="spacingAndGlyphs" xml:space="preserve" '
        f'direction="ltr">{escape(label.text)}</text>'
        for label in drawing.turned
    )
    body, end, rest = paint_svg(drawing.sheet).rpartition(b"</svg>")
    return body + turned.encode() + b"\n" + end + rest


def compose(alignment: "Alignment") -> Drawing:
    """Lay out a whole alignment."""
    matrix = coarser(alignment.words(), FRAMES)
    shown = f"{alignment.source[:SHOWN]} {alignment.target[:SHOWN]} " + " ".join(
        word.text for side in matrix[:2] if not isinstance(side, Axis) for word in side
    )
    title = say.printable(f"Alignment: {alignment.source[:200]} → {alignment.target[:200]}")
    sheet = Sheet(WIDTH, title, Fonts(sample=shown))
    place = _sized(sheet, matrix) if matrix.weights.size else _Place(MARGIN, 0, 0, 0, 0)
    sizes = (14.0, 19.0) if len(alignment.target) <= 160 else (13.0, 15.0)
    y = _sentence(sheet, 48.0, alignment.source, sizes[0], MUTED)
    y = _sentence(sheet, y + 8, alignment.target, sizes[1], INK)
    drawing = Drawing(sheet)
    y = _matrix(drawing, y + 10, alignment, matrix, place)
    add_warning(sheet, y, say.printable(shown))
    return drawing


def scale_of(matrix: WordMatrix) -> float:
    """Return the weight that takes the full colour: the largest, but at least twice an even share."""
    return say.look_scale(matrix.weights.max(axis=0)) if matrix.weights.size else 1.0


def notes(matrix: WordMatrix, numbered: bool) -> str:
    """Say how the matrix is read.

    Args:
        matrix: that is shown.
        numbered: whether its cells carry numbers.
    """
    axis = matrix.columns if isinstance(matrix.columns, Axis) else None
    found = [NOTE + (f", by {axis.name}" if axis else " on the words above") + (f"; {NUMBERS}." if numbered else ".")]
    if matrix.weights.size and matrix.weights.sum(axis=1).min() < 1 - SUM_TOLERANCE:
        found.append(STOPPED)
    down, across = block_of(matrix.weights.shape, LARGEST_PICTURE)
    if down * across > 1:
        found.append(f"Each pixel is the largest of {down} x {across} weights.")
    return " ".join(found)


def ink_on(colour: str) -> str:
    """Return black or white, whichever reads better: on any colour one has a contrast of at least 4.5 to 1."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))


def block_of(shape: tuple[int, ...], side: int) -> tuple[int, ...]:
    """Return how many rows and how many columns make a pixel, so that neither side is longer than `side`."""
    return tuple(max(1, -(-count // side)) for count in shape)


def peaks(weights: np.ndarray, side: int) -> np.ndarray:
    """Keep the largest weight of each block; few words beside thousands of frames stay apart.

    Args:
        weights: [row, column].
        side: the longest side wanted.
    """
    for axis, step in enumerate(block_of(weights.shape, side)):
        weights = np.maximum.reduceat(weights, np.arange(0, weights.shape[axis], step), axis=axis)
    return weights


def _sentence(sheet: Sheet, y: float, text: str, size: float, fill: str) -> float:
    """Write a text in lines, cut where it is very long; return the baseline below."""
    text = text.strip()
    text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    if not text:
        return y
    parts = segments(text, ())
    column = Column(sheet.width - 2 * MARGIN, lambda part: sheet.fonts.measure(part, size), 0.0, 0.32 * size, [0.0])
    boxes, lines = flow(parts, column, say.right_to_left(text))
    for box in boxes:
        sheet.label(MARGIN + box.x, y + 1.4 * size * box.line, box.text, size, fill)
    return y + 1.4 * size * lines


def _matrix(drawing: Drawing, y: float, alignment: "Alignment", matrix: WordMatrix, place: _Place) -> float:
    """Draw the title, the names, the cells and the note; return the baseline below."""
    sheet = drawing.sheet
    sheet.rectangle(MARGIN, y - 14, sheet.width - 2 * MARGIN, 1, RULE)
    title = sheet.label(MARGIN, y + 16, TITLE, 15)
    if alignment.score is not None:
        sheet.label(MARGIN + title + 14, y + 16, f"score {alignment.score:.3g}".replace("-", "−"), 12, MUTED)
    if not matrix.weights.size:
        sheet.label(MARGIN, y + 46, NOTHING, 13, MUTED)
        return y + 76
    place = replace(place, y=y + 38 + place.top)
    scale = scale_of(matrix)
    _legend(sheet, y + 16, scale)
    _cells(sheet, place, matrix, scale)
    _rows(sheet, place, matrix)
    _columns(drawing, place, matrix)
    bottom = place.y + place.down * len(matrix.rows)
    note = notes(matrix, min(place.across, place.down) >= NUMBERED)
    return sheet.paragraph(MARGIN, bottom + 26, note + _skipped(place, matrix), 12, MUTED) + 18


def _sized(sheet: Sheet, matrix: WordMatrix) -> _Place:
    """Return the room that names and cells take, with the upper edge still open; widen the sheet where it must."""
    rows, columns = matrix.weights.shape
    left = MARGIN + 10 + max(sheet.fonts.measure(name, _size(rows)) for name in _names(sheet, matrix.rows))
    if isinstance(matrix.columns, Axis):
        across = min((WIDTH - MARGIN - left) / columns, 28.0)
        down = float(np.clip(PANEL / rows, 15.0, 24.0)) if rows <= LABELLED else PANEL / rows
        return _Place(left, 0.0, across, down, 34.0)
    longest = max(rows, columns)
    side = ROOM / longest
    side = float(np.clip(side, SMALLEST, LARGEST)) if longest <= LABELLED else side
    widest = max(sheet.fonts.measure(name, _size(columns)) for name in _names(sheet, matrix.columns))
    sheet.width = max(sheet.width, left + side * columns + MARGIN)
    return _Place(left, 0.0, side, side, 16.0 if widest <= side - 4 else widest + 6)


def _size(count: int) -> float:
    """Return the size of the names at an edge."""
    return 12.0 if count <= LABELLED / 2 else 10.5


def _names(sheet: Sheet, words: tuple[Word, ...]) -> list[str]:
    longest = LONGEST if len(words) <= LABELLED / 2 else 0.8 * LONGEST
    return [sheet.fitting(say.printable(word.text), _size(len(words)), longest) for word in words]


def named_every(unit: float) -> int:
    """Return which words are named at an edge: every one, or every 2nd, 5th, 10th ... so that names stay apart.

    Args:
        unit: length of one word at the edge, in 1/96 inch.
    """
    if unit >= PITCH - 1:
        return 1
    return next(
        part * 10**power
        for power in range(12)
        for part in (1, 2, 5)
        if part * 10**power * unit >= 2 * PITCH or power == 11
    )


def _skipped(place: _Place, matrix: WordMatrix) -> str:
    words = not isinstance(matrix.columns, Axis) and len(matrix.columns) > 1
    steps = [named_every(place.down)] * (len(matrix.rows) > 1) + [named_every(place.across)] * words
    step = max(steps, default=1)
    return f" One word in {step} is named." if step > 1 else ""


def _cells(sheet: Sheet, place: _Place, matrix: WordMatrix, scale: float) -> None:
    rows, columns = matrix.weights.shape
    width, height = place.across * columns, place.down * rows
    sheet.rectangle(place.x - 1, place.y - 1, width + 2, height + 2, RULE)
    if max(rows, columns) > LABELLED:
        small = peaks(matrix.weights, LARGEST_PICTURE)
        sheet.picture(place.x, place.y, width, height, Image.fromarray(ramp(small / scale, MAP_LIGHT)), TITLE)
        return
    # Stripes leave lines between the rows; only cells that can be seen cost a rectangle of their own.
    for row in range(rows):
        sheet.rectangle(place.x, place.y + row * place.down, width, place.down - 1, PAPER)
    for column in range(1, columns):
        sheet.rectangle(place.x + column * place.across - 1, place.y, 1, height, RULE)
    names = column_names(matrix.columns)
    for row, column in np.argwhere(matrix.weights >= min(FAINTEST * scale, 0.005)).tolist():
        hint = f"{matrix.rows[row].text} → {names[column]}"
        _cell(sheet, place, (row, column), float(matrix.weights[row, column]), scale, hint)


def _cell(sheet: Sheet, place: _Place, at: tuple[int, int], weight: float, scale: float, hint: str) -> None:
    x, y = place.x + at[1] * place.across, place.y + at[0] * place.down
    colour = to_hex(ramp(np.array(weight / scale), MAP_LIGHT))
    sheet.rectangle(x, y, place.across - 1, place.down - 1, colour, 0.0, f"{hint}: {say.long_percent(weight)}")
    if min(place.across, place.down) >= NUMBERED:
        ink = ink_on(colour)
        middle = (x + (place.across - 1) / 2, y + place.down / 2 + 3.5)
        sheet.label(*middle, say.short_percent(weight), 11, ink, "center")


def _rows(sheet: Sheet, place: _Place, matrix: WordMatrix) -> None:
    size, names = _size(len(matrix.rows)), _names(sheet, matrix.rows)
    for row in range(0, len(names), named_every(place.down)):
        y = place.y + (row + 0.5) * place.down + 0.35 * size
        sheet.label(place.x - 8, y, names[row], size, MUTED if matrix.rows[row].mark else INK, "right")


def _columns(drawing: Drawing, place: _Place, matrix: WordMatrix) -> None:
    sheet = drawing.sheet
    if isinstance(matrix.columns, Axis):
        _ticks(sheet, place, matrix.columns)
        return
    size, names = _size(len(matrix.columns)), _names(sheet, matrix.columns)
    for column in range(0, len(names), named_every(place.across)):
        name, fill = names[column], MUTED if matrix.columns[column].mark else INK
        x = place.x + (column + 0.5) * place.across
        if place.top <= 16:
            sheet.label(x, place.y - 6, name, size, fill, "center")
        else:
            width = sheet.fonts.measure(name, size)
            drawing.turned.append(Label(x + 0.35 * size, place.y - 5, name, size, fill, width))


def _ticks(sheet: Sheet, place: _Place, axis: Axis) -> None:
    """Write round numbers over the columns of an axis, each with a line at its place."""
    width = place.across * axis.count
    step = _round_step(72 * axis.step / place.across)
    end = axis.start + axis.step * axis.count
    name = f"{axis.name} ({axis.unit})" if axis.unit else axis.name
    sheet.label(place.x, place.y - 24, name, 12, MUTED)
    first = int(np.ceil(axis.start / step - 1e-6))
    for count in range(first, int(np.floor(end / step + 1e-6)) + 1):
        x = place.x + (count * step - axis.start) / axis.step * place.across
        sheet.rectangle(min(x, place.x + width) - 0.5, place.y - 6, 1, 5, MUTED)
        sheet.label(x, place.y - 9, f"{count * step:.6g}".replace("-", "−"), 11, MUTED, "center")


def _round_step(least: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least `least`."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(part * power for part in (1, 2, 5, 10) if part * power >= least * (1 - 1e-9)))


def _legend(sheet: Sheet, y: float, scale: float) -> None:
    """Draw the bar of the colours at the right of the title's line."""
    end = sheet.width - MARGIN
    right = end - sheet.label(end, y, say.long_percent(scale), 12, MUTED, "right") - 8
    bar = Image.fromarray(ramp(np.linspace(0, 1, 120)[None], MAP_LIGHT))
    sheet.rectangle(right - 121, y - 11, 122, 14, RULE)
    sheet.picture(right - 120, y - 10, 120, 12, bar, f"colours from 0 % to {say.long_percent(scale)}")
    sheet.label(right - 128, y, "0 %", 12, MUTED, "right")
