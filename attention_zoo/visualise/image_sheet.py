"""Lay out the explanation of a picture: the picture, where the model looked, what moved each score, all maps small."""

from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.fonts import Fonts
from attention_zoo.visualise.overlay import GAP, Panel, add_rows
from attention_zoo.visualise.palette import INK, MUTED, RULE
from attention_zoo.visualise.sheet import Sheet
from attention_zoo.visualise.strips import ATTENTION_TITLE, MARGIN, headline

if TYPE_CHECKING:
    from attention_zoo.visualise.image_explanation import ImageExplanation

WIDTH = 900.0
LARGE, LARGE_MOST, SMALL = 4, 5, 6  # pictures side by side
MOST = 18  # small maps in a picture; the page has all
PERCENT_NOTE = "Green: percent of all attention that a cell gets."


def compose(explanation: "ImageExplanation", classes: int = 3) -> Sheet:
    """Lay out a whole explanation.

    Args:
        explanation: what to show.
        classes: at most so many labels get a picture of their effects.
    """
    label, details = headline(explanation.answer)
    sample = " ".join([label, details, *explanation.effects, *explanation.attention, *explanation.gates])
    sheet = Sheet(WIDTH, f"Why {label}?", Fonts(sample=sample))
    x = MARGIN + sheet.label(MARGIN, 50, sheet.fitting(label, 25, WIDTH - 2 * MARGIN - 200), 25)
    sheet.label(x + 14, 50, sheet.fitting(details, 15, WIDTH - MARGIN - x - 14), 15, MUTED)
    main = main_panels(explanation, classes)
    y = _rows(sheet, main, 78.0, min(max(len(main), LARGE), LARGE_MOST))
    y = sheet.paragraph(MARGIN, y + 6, notes(explanation), 12, MUTED)
    small = site_panels(explanation)
    if small:
        sheet.rectangle(MARGIN, y, WIDTH - 2 * MARGIN, 1, RULE)
        sheet.label(MARGIN, y + 32, "Layer by layer", 15, INK)
        y = _rows(sheet, small[:MOST], y + 48, SMALL)
        if len(small) > MOST:
            sheet.label(MARGIN, y + 4, f"{len(small) - MOST} more: save as .html to see them.", 12, MUTED)
    missing = sheet.fonts.warning(sample)
    if missing:
        sheet.paragraph(MARGIN, sheet.bottom + 16, missing, 12, "#a33c00")
    return sheet


def notes(explanation: "ImageExplanation") -> str:
    """Say what the colours mean."""
    found = [PERCENT_NOTE] * (explanation.weights is not None)
    found += [f"Orange speaks for the class, blue against: {explanation.measure}."] * bool(explanation.effects)
    return " ".join(found)


def main_panels(explanation: "ImageExplanation", classes: int | None = None) -> list[Panel]:
    """Return the picture as it is, with the weights, and with the effects of the first `classes` labels."""
    height, width = explanation.image.shape[:2]
    panels = [Panel(explanation.image, "The picture", f"{width} x {height} pixels")]
    weights = explanation.weights
    if weights is not None:
        rows, columns = weights.shape
        panels.append(
            Panel(
                explanation.image,
                ATTENTION_TITLE,
                f"{rows} x {columns} cells",
                weights,
                say.look_scale(weights.ravel()),
            )
        )
    chosen = list(explanation.effects.items())[:classes]
    scale = say.effect_scale([values for _, values in chosen])
    panels += [
        Panel(explanation.image, f"For “{label}”", strongest(values), values, scale, True) for label, values in chosen
    ]
    return panels


def strongest(values: np.ndarray) -> str:
    """Say the largest effect for and against, in points."""
    return f"most {say.long_points(max(values.max(), 0.0))}, least {say.long_points(min(values.min(), 0.0))}"


def site_panels(explanation: "ImageExplanation") -> list[Panel]:
    """Return a panel for each site that lies on the picture: attention as the mean of its heads, then gates."""
    panels = []
    for site in explanation.attention:
        looks = explanation.looks(site)
        if looks is not None:
            mean = looks.mean(axis=0)
            heads = f"mean of {len(looks)} heads" if len(looks) > 1 else "1 head"
            panels.append(
                Panel(explanation.image, site.removesuffix(".attention"), heads, mean, say.look_scale(mean.ravel()))
            )
    for site, gate in explanation.gates.items():
        if gate.ndim == 2:
            diverging = bool(gate.min() < 0)
            panels.append(Panel(explanation.image, site, "gate", gate, float(np.abs(gate).max()), diverging))
    return panels


def _rows(sheet: Sheet, panels: list[Panel], y: float, columns: int) -> float:
    side = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns
    return add_rows(sheet, panels, (MARGIN, y), columns, side)
