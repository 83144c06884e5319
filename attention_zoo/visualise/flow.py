"""Set words in lines, as a page does: blanks end a word, and only what is wider than a line is broken inside."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from attention_zoo.visualise.segments import Segment


@dataclass(frozen=True)
class Box:
    """A piece of text with its place.

    Attributes:
        x: left edge, units from the left of the column.
        line: number of its line, from 0.
        width: units.
        text: what stands in it.
        segment: index of the segment that it shows.
        first: False for the further pieces of a segment that was broken.
    """

    x: float
    line: int
    width: float
    text: str
    segment: int
    first: bool = True


@dataclass
class Column:
    """The measures of a column of text.

    Attributes:
        width: units.
        measure: width of a text, in units.
        padding: units on each side of a token's text.
        space: units of a blank.
        narrowest: least width of each segment, so that the number below it fits (0: none).
    """

    width: float
    measure: Callable[[str], float]
    padding: float
    space: float
    narrowest: Sequence[float]


def flow(parts: Sequence[Segment], column: Column, mirrored: bool = False) -> tuple[list[Box], int]:
    """Set `parts` in lines.

    Args:
        parts: segments of the text, in reading order.
        column: the measures.
        mirrored: True where lines run from right to left.

    Returns:
        The boxes, and the number of lines.
    """
    boxes: list[Box] = []
    x, line = 0.0, 0
    for word, after in _words(parts):
        pieces = [_box(part, text, index, column) for part, text, index in word]
        width = sum(piece.width for piece in pieces)
        if x > 0 and x + width > column.width and (width <= column.width or len(pieces) == 1):
            x, line = 0.0, line + 1
        for cut in [cut for piece in pieces for cut in _cut(piece, column)]:
            if x > 0 and x + cut.width > column.width:
                x, line = 0.0, line + 1
            boxes.append(replace(cut, x=x, line=line))
            x += cut.width
        if "\n" in after:
            x, line = 0.0, line + 1
        elif after and x > 0:
            x += column.space
    lines = 1 + max([box.line for box in boxes], default=0)
    return [replace(box, x=column.width - box.x - box.width) for box in boxes] if mirrored else boxes, lines


def _words(parts: Sequence[Segment]) -> list[tuple[list[tuple[Segment, str, int]], str]]:
    """Group what no blank separates; each group comes with the blanks after it."""
    words: list[tuple[list[tuple[Segment, str, int]], str]] = [([], "")]
    for index, part in enumerate(parts):
        for text in [part.text] if part.tokens else re.split(r"(\s+)", part.text):
            if text.isspace() and not part.tokens:
                words[-1] = (words[-1][0], text)
                words.append(([], ""))
            elif text:
                words[-1][0].append((part, text, index))
    return [word for word in words if word[0]]


def _box(part: Segment, text: str, index: int, column: Column) -> Box:
    if not part.tokens:
        return Box(0.0, 0, column.measure(text), text, index)
    return Box(0.0, 0, max(column.measure(text) + 2 * column.padding, column.narrowest[index]), text, index)


def _cut(box: Box, column: Column) -> list[Box]:
    """Break a piece that is wider than the whole column, by characters."""
    if box.width <= column.width:
        return [box]
    cuts, room = [""], column.width - 2 * column.padding
    for character in box.text:
        if cuts[-1] and column.measure(cuts[-1] + character) > room:
            cuts.append("")
        cuts[-1] += character
    return [
        replace(box, text=cut, width=column.measure(cut) + 2 * column.padding, first=place == 0)
        for place, cut in enumerate(cuts)
    ]
