"""Lay out what each modality did for an answer: a bar for each, and below a panel for each."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.fonts import Fonts
from attention_zoo.visualise.modality_views import FramesView, SoundView, VectorsView, View, WordsView
from attention_zoo.visualise.overlay import Panel, add_rows, heat_overlay, legend
from attention_zoo.visualise.palette import AGAINST, FOR, MUTED, RULE
from attention_zoo.visualise.sheet import Sheet
from attention_zoo.visualise.strips import (
    ATTENTION_NOTE,
    ATTENTION_TITLE,
    MARGIN,
    WIDTH,
    Strip,
    add_strip,
    add_warning,
    headline,
)

if TYPE_CHECKING:
    from attention_zoo.visualise.modality_explanation import ModalityExplanation

WEIGHTS_TITLE = "How much each modality weighed"
NAME, BAR, LINE = 96.0, 500.0, 26.0  # widths of a bar's name and of its room, height of its line
LARGE, SMALL = 4, 6  # pictures side by side: of few, of many
MOST_FRAMES, MOST_NUMBERS = 12, 12
SOUND_HEIGHT, STEPS_HEIGHT = 128.0, 72.0
TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # seconds
LEAST_EFFECT = 0.1  # of a log-probability
EMPTY = "#f4f5f6"


def compose(explanation: "ModalityExplanation") -> Sheet:
    """Lay out a whole explanation."""
    label, details = headline(explanation.answer)
    sheet = new_sheet(explanation)
    x = MARGIN + sheet.label(MARGIN, 50, sheet.fitting(label, 25, WIDTH - 2 * MARGIN - 200), 25)
    sheet.label(x + 14, 50, sheet.fitting(details, 15, WIDTH - MARGIN - x - 14), 15, MUTED)
    y = 92.0
    for place, add in enumerate(parts(explanation)):
        if place:
            sheet.rectangle(MARGIN, y, WIDTH - 2 * MARGIN, 1, RULE)
            y += 32
        y = add(sheet, y)
    add_warning(sheet, y, _words(explanation))
    return sheet


def new_sheet(explanation: "ModalityExplanation") -> Sheet:
    """Return an empty sheet with the letters that the explanation needs."""
    return Sheet(WIDTH, f"Why {headline(explanation.answer)[0]}?", Fonts(sample=_words(explanation)))


def parts(explanation: "ModalityExplanation") -> list[Callable[[Sheet, float], float]]:
    """Return what draws each part: on a sheet, from a height on; each returns where the next may begin."""
    panels = [partial(add_panel, modality=modality, view=view) for modality, view in explanation.views.items()]
    return [partial(add_weights, explanation=explanation), *panels]


def _words(explanation: "ModalityExplanation") -> str:
    texts = [view.text for view in explanation.views.values() if isinstance(view, WordsView)]
    return " ".join([explanation.label, *explanation.answer.labels, *texts])


def add_weights(sheet: Sheet, y: float, explanation: "ModalityExplanation") -> float:
    """Draw a bar for each modality; return where the next part may begin."""
    sheet.label(MARGIN, y, WEIGHTS_TITLE, 15)
    rows = []
    for modality, effect in explanation.effects.items():
        told = f"× {np.exp(effect):.2f}   {long_share(explanation.shares[modality])}"
        if explanation.gates is not None:
            told += f"   gate {long_share(explanation.gates[modality])}"
        rows.append((modality, effect, told if explanation.views[modality] is not None else "missing"))
    bottom = add_bars(sheet, y + 14, rows, LEAST_EFFECT)
    label = say.printable(explanation.label)
    before = long_share(float(np.exp(explanation.prior)))
    note = (
        f"What each makes of the probability of “{label}” (orange: more, blue: less), and its share of all that they "
        f"do (Shapley values of the log-probability). With nothing known it is {before}, with all "
        f"{long_share(explanation.probability)}."
    )
    note += " Gate: the share that the fusion gave it." if explanation.gates is not None else ""
    return sheet.paragraph(MARGIN, bottom + 20, f"{note} {explanation.note}".strip(), 12, MUTED) + 8


def long_share(share: float) -> str:
    """Write a share in percent; what is small with more digits."""
    return f"{100 * share:.1f} %" if share >= 0.01 or share == 0 else f"{100 * share:.2g} %"


def add_bars(sheet: Sheet, y: float, rows: Sequence[tuple[str, float, str]], least: float) -> float:
    """Draw a line for each row: its name, a bar to the right where its number is above 0, and words.

    Args:
        sheet: drawn on.
        y: upper edge.
        rows: (name, number, words).
        least: what all the room stands for at least, so that next to nothing does not look like much.

    Returns:
        The lower edge.
    """
    left = MARGIN + NAME
    low, high = (max([0.0, *(sign * value for _, value, _ in rows)]) for sign in (-1, 1))
    unit = BAR / max(low + high, least)
    middle = left + low * unit
    for place, (name, value, words) in enumerate(rows):
        top = y + place * LINE
        sheet.label(MARGIN, top + 17, sheet.fitting(name, 13, NAME - 8), 13)
        length = max(abs(value) * unit, 0.5)
        start = middle if value >= 0 else middle - length
        sheet.rectangle(start, top + 5, length, LINE - 10, FOR if value >= 0 else AGAINST, 2.0, f"{name}: {words}")
        sheet.label(left + BAR + 16, top + 17, words, 13, MUTED)
    sheet.rectangle(middle - 0.5, y + 1, 1, len(rows) * LINE - 2, MUTED)
    return y + len(rows) * LINE


def add_panel(sheet: Sheet, y: float, modality: str, view: View | None) -> float:
    """Draw where the model looked in one modality; return where the next part may begin."""
    if view is None:
        sheet.label(MARGIN, y, modality.capitalize(), 15)
        sheet.rectangle(MARGIN, y + 14, WIDTH - 2 * MARGIN, 64, EMPTY, 4.0)
        sheet.label(WIDTH / 2, y + 51, f"No {modality}: it is missing in this row.", 14, MUTED, "center")
        return y + 102
    return _PANELS[type(view)](sheet, y, modality.capitalize(), view)


def _frames(sheet: Sheet, y: float, title: str, view: FramesView) -> float:
    sheet.label(MARGIN, y, f"{title}: where it looked", 15)
    looks = view.weights.sum(axis=(1, 2))
    count, scale = len(looks), say.look_scale(view.weights.ravel())
    kept = sorted(np.argsort(-looks, kind="stable")[:MOST_FRAMES].tolist())
    panels = [
        Panel(view.pictures[place], f"picture {place + 1}", say.long_percent(looks[place]), view.weights[place], scale)
        for place in kept
    ]
    if count == 1:
        panels = [
            Panel(view.pictures[0], "The picture", ""),
            Panel(view.pictures[0], ATTENTION_TITLE, "", view.weights[0], scale),
        ]
    columns = LARGE if len(panels) <= LARGE else SMALL
    side = (WIDTH - 2 * MARGIN - (columns - 1) * 20.0) / columns
    bottom = add_rows(sheet, panels, (MARGIN, y + 16), columns, side)
    note = "Green: percent of all attention that a cell gets."
    if count > 1:
        note += " Below each picture: its share of the attention."
    if count > len(kept):
        note += f" {count - len(kept)} pictures with less are left out."
    return sheet.paragraph(MARGIN, bottom + 6, note, 12, MUTED) + 8


def _sound(sheet: Sheet, y: float, title: str, view: SoundView) -> float:
    sheet.label(MARGIN, y, f"{title}: when it listened", 15)
    # Low tones belong at the bottom.
    bottom = _band(sheet, y, view.features.T[::-1], view.weights, SOUND_HEIGHT)
    wide = WIDTH - 2 * MARGIN
    tick = next((tick for tick in TICKS if view.seconds / tick <= 10), TICKS[-1])
    for place in range(int(view.seconds / tick + 1e-9) + 1):
        x = MARGIN + wide * place * tick / view.seconds
        sheet.rectangle(x, bottom, 1, 5, MUTED)
        align = "left" if not place else "right" if x > WIDTH - MARGIN - 24 else "center"
        sheet.label(x, bottom + 18, f"{place * tick:g} s", 11, MUTED, align)
    start, stop = busiest(view.weights)
    note = (
        f"Log-mel features, low tones at the bottom. Half of the attention lies from {start * view.step:.2f} to "
        f"{stop * view.step:.2f} s."
    )
    return sheet.paragraph(MARGIN, bottom + 42, note, 12, MUTED) + 8


def _band(sheet: Sheet, y: float, values: np.ndarray, weights: np.ndarray, height: float) -> float:
    """Draw numbers [rows, steps] in grey under the heat of each step, with its legend; return the lower edge."""
    low, high = np.percentile(values, (1, 99))
    grey = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    scale = say.look_scale(weights)
    wide = WIDTH - 2 * MARGIN
    legend(sheet, (WIDTH - MARGIN - 240, y - 9), 240, scale, False, MUTED)
    picture = heat_overlay(grey, weights[None], scale=scale, smooth=False, side=max(values.shape))
    sheet.rectangle(MARGIN - 1, y + 15, wide + 2, height + 2, RULE)
    sheet.picture(MARGIN, y + 16, wide, height, picture, "features of each step, and the attention that it gets")
    return y + 16 + height


def busiest(weights: np.ndarray, share: float = 0.5) -> tuple[int, int]:
    """Return the shortest stretch (start, stop) that holds a share of the weights; the first of equals."""
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    stops = np.searchsorted(sums, sums[:-1] + share * sums[-1] - 1e-9)
    lengths = np.where(stops < len(sums), stops - np.arange(len(weights)), len(sums))
    start = int(lengths.argmin())
    return start, int(stops[start])


def _words_panel(sheet: Sheet, y: float, title: str, view: WordsView) -> float:
    strip = Strip(f"{title}: what it read", view.weights, say.look_scale(view.weights), False, ATTENTION_NOTE)
    return add_strip(sheet, y, strip, say.segments(view.text, view.tokens))


def _vectors(sheet: Sheet, y: float, title: str, view: VectorsView) -> float:
    steps, width = view.values.shape
    sheet.label(MARGIN, y, f"{title}: which numbers counted", 15)
    if steps > 1:
        y = _band(sheet, y, view.values.T, view.weights, STEPS_HEIGHT) + 20
        y = sheet.paragraph(MARGIN, y, f"{steps} vectors, one after the other, and the attention on each.", 12, MUTED)
    chosen = view.order[:MOST_NUMBERS]
    mean = view.weights @ view.values
    rows = [
        (view.names[place], view.effects[place], f"{say.long_points(view.effects[place])}   is {_signed(mean[place])}")
        for place in chosen
    ]
    bottom = add_bars(sheet, y + 14, rows, say.effect_scale([]))
    note = (
        "Points of 100 that the score loses where the number is the mean of the training data. Is: how many deviations "
        "it is above that mean."
    )
    if width > len(chosen):
        note += f" {width - len(chosen)} of {width} numbers that did less are left out."
    return sheet.paragraph(MARGIN, bottom + 20, note, 12, MUTED) + 8


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


_PANELS: dict[type, Callable[[Sheet, float, str, View], float]] = {
    FramesView: _frames,
    SoundView: _sound,
    WordsView: _words_panel,
    VectorsView: _vectors,
}
