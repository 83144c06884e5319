"""Lay out an explanation: the coloured text once for attention and once for each of the top classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.flow import Column, flow
from attention_zoo.visualise.fonts import Fonts
from attention_zoo.visualise.palette import INK, MUTED, RULE, marker
from attention_zoo.visualise.segments import Segment, segment_values
from attention_zoo.visualise.sheet import Sheet

if TYPE_CHECKING:
    from attention_zoo.visualise.explanation import Explanation

WIDTH = 900.0
MARGIN = 28.0
NUMBERED = 60  # tokens: up to here each word carries its number
ATTENTION_TITLE = "Where the model looked"
ATTENTION_NOTE = "Numbers: percent of the attention; blank is under 0.5."
EFFECT_NOTE = "Numbers: points of 100 that the score loses when the word is hidden; blank is under 0.5."


@dataclass(frozen=True)
class Strip:
    """One coloured copy of the text.

    Attributes:
        title: what it shows.
        values: one number a token.
        scale: the number that takes the full colour.
        diverging: True where numbers below 0 have a colour of their own.
        note: how to read the numbers; empty where the strip above says it.
    """

    title: str
    values: np.ndarray
    scale: float
    diverging: bool
    note: str


def attention_strip(weights: np.ndarray) -> Strip:
    """Return the strip of the pooling attention."""
    return Strip(ATTENTION_TITLE, weights, say.look_scale(weights), False, ATTENTION_NOTE)


def effect_strips(effects: dict[str, np.ndarray], classes: int | None = None) -> list[Strip]:
    """Return a strip for each of the first `classes` labels, all on one scale so that they compare."""
    chosen = list(effects.items())[:classes]
    scale = say.effect_scale([values for _, values in chosen])
    return [
        Strip(f"What moved the score of “{label}”", values, scale, True, "" if place else EFFECT_NOTE)
        for place, (label, values) in enumerate(chosen)
    ]


def compose(explanation: "Explanation", classes: int = 3) -> Sheet:
    """Lay out a whole explanation.

    Args:
        explanation: what to show.
        classes: at most so many labels get a strip of their effects.
    """
    label, details = headline(explanation.answer)
    sample = " ".join([explanation.text, label, details, *explanation.effects])
    sheet = Sheet(WIDTH, f"Why {label}? {say.printable(explanation.text)[:200]}", Fonts(sample=sample))
    x = MARGIN + sheet.label(MARGIN, 50, label, 25)
    sheet.label(x + 14, 50, details, 15, MUTED)
    y = 92.0
    parts = explanation.segments()
    strips = [attention_strip(explanation.weights), *effect_strips(explanation.effects, classes)]
    for place, strip in enumerate(strips):
        if place:
            sheet.rectangle(MARGIN, y - 6, WIDTH - 2 * MARGIN, 1, RULE)
            y += 30
        y = add_strip(sheet, y, strip, parts)
    add_warning(sheet, y, explanation.text + label)
    return sheet


def headline(answer: object) -> tuple[str, str]:
    """Return the label to print large, and the scores beside it."""
    labels = tuple(answer.labels) or ((answer.label,) if answer.label else ())
    details = [("" if answer.label else "highest score ") + say.long_percent(answer.score)]
    if len(labels) > 1:
        details.append("also " + ", ".join(labels[1:4]) + (" …" if len(labels) > 4 else ""))
    if answer.out_of_scope is not None:
        details.append(f"out of scope {say.long_percent(answer.out_of_scope)}")
    return (answer.label or "no label passed its threshold"), "  ·  ".join(details)


def add_warning(sheet: Sheet, y: float, text: str) -> None:
    """Say at the foot of the sheet what this machine's fonts could not draw, if anything."""
    note = sheet.fonts.warning(text)
    if note:
        sheet.paragraph(MARGIN, y + 4, note, 12, "#a33c00")


def add_strip(sheet: Sheet, y: float, strip: Strip, parts: Sequence[Segment]) -> float:
    """Draw one strip with its title and legend; return where the next may begin."""
    sheet.label(MARGIN, y, sheet.fitting(strip.title, 15, WIDTH - 2 * MARGIN - 300), 15)
    if not strip.values.size:
        sheet.label(MARGIN, y + 30, "There is no token to colour: the model read nothing of this text.", 13, MUTED)
        return y + 66
    _legend(sheet, y, strip)
    bottom = _words(sheet, y + 16, strip, parts)
    top = say.strongest(parts, strip.values)
    show = say.long_points if strip.diverging else say.long_percent
    note = strip.note
    if not top:
        note = "No word counts for as much as half a point." if strip.diverging else ""
    elif strip.values.size > NUMBERED:
        note = "Most: " + ", ".join(f"“{_brief(text)}” {show(value)}" for text, value in top)
        note += (
            ". Points of 100 that the score loses when the word is hidden." if strip.diverging and strip.note else ""
        )
    return sheet.paragraph(MARGIN, bottom + 24, note, 12, MUTED) + 18


def _words(sheet: Sheet, y: float, strip: Strip, parts: Sequence[Segment]) -> float:
    """Draw the text; return its lower edge."""
    numbered = strip.values.size <= NUMBERED
    size, height, step = (18.0, 28.0, 52.0) if numbered else (14.0, 20.0, 23.0)
    values = segment_values(parts, strip.values)
    short = say.short_points if strip.diverging else say.short_percent
    numbers = [short(value) if numbered and value is not None else "" for value in values]
    column = Column(
        WIDTH - 2 * MARGIN,
        lambda text: sheet.fonts.measure(text, size),
        padding=4.0 if numbered else 2.0,
        space=5.0 if numbered else 3.0,
        narrowest=[sheet.fonts.measure(number, 11) + 5 if number else 0.0 for number in numbers],
    )
    boxes, lines = flow(parts, column, mirrored=say.right_to_left("".join(part.text for part in parts)))
    for box in boxes:
        value, part = values[box.segment], parts[box.segment]
        x, top = MARGIN + box.x, y + box.line * step
        if value is not None:
            long = say.long_points(value) if strip.diverging else say.long_percent(value)
            colour = marker(value / strip.scale, strip.diverging)
            sheet.rectangle(x + 0.5, top, box.width - 1, height, colour, 4.0, f"{part.text}: {long}")
        middle = x + (box.width - sheet.fonts.measure(box.text, size)) / 2
        sheet.label(middle, top + 0.71 * height, box.text, size, INK if part.tokens else MUTED)
        if box.first and numbers[box.segment]:
            sheet.label(x + box.width / 2, top + height + 13, numbers[box.segment], 11, MUTED, "center")
    return y + (lines - 1) * step + height + (13 if numbered else 0)


def _legend(sheet: Sheet, y: float, strip: Strip) -> None:
    """Draw the colour bar, with the numbers of its ends, at the right of the title's line."""
    bar, steps = 120.0, 48
    low = -1.0 if strip.diverging else 0.0
    high_text = say.long_points(strip.scale) + " speaks for" if strip.diverging else say.long_percent(strip.scale)
    low_text = "against " + say.long_points(-strip.scale) if strip.diverging else "0 %"
    right = WIDTH - MARGIN - sheet.label(WIDTH - MARGIN, y, high_text, 12, MUTED, "right") - 8
    sheet.rectangle(right - bar - 1, y - 11, bar + 2, 14, RULE)
    for step in range(steps):
        value = low + (1.0 - low) * (step + 0.5) / steps
        left = right - bar + step * bar / steps
        # Each reaches to the end, under the next: rectangles that only touch show seams in an SVG.
        sheet.rectangle(left, y - 10, right - left, 12, marker(value, strip.diverging))
    sheet.label(right - bar - 8, y, low_text, 12, MUTED, "right")


def _brief(text: str, length: int = 24) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
