"""Draw which past items moved a recommendation: a picture, a page, a table."""

import csv
import io
from typing import TYPE_CHECKING

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.fonts import Fonts
from attention_zoo.visualise.html_assets import STYLE
from attention_zoo.visualise.modality_page import DRAWN_STYLE
from attention_zoo.visualise.page_frame import framed, numbers_table, safe
from attention_zoo.visualise.palette import MUTED, RULE
from attention_zoo.visualise.segments import Segment
from attention_zoo.visualise.sheet import Sheet, paint_svg
from attention_zoo.visualise.strips import MARGIN, NUMBERED, WIDTH, Strip, add_strip, add_warning

if TYPE_CHECKING:
    from attention_zoo.visualise.history_explanation import HistoryExplanation

LOOKED, LOOKED_NOTE = "Where the network looked", "Numbers: percent of the attention; blank is under 0.5. Oldest first."
MOVED = "What moved the score"
MOVED_NOTE = (
    "Numbers: percent of the item's probability that is lost when the history is without that past item; blank is "
    "under 0.5."
)
MANY_NOTE = (
    "Above: percent of the attention, oldest item first. Below: percent of the item's probability that is lost when "
    "the history is without that past item."
)


def compose(explanation: "HistoryExplanation") -> Sheet:
    """Lay out an explanation.

    Args:
        explanation: what to show.
    """
    label, items = say.printable(str(explanation.item)), [str(item) for item in explanation.history]
    sheet = Sheet(WIDTH, f"Why {label}?", Fonts(sample=" ".join([label, *items])))
    title = sheet.fitting(label, 25, WIDTH - 2 * MARGIN - 300)
    sheet.label(MARGIN + sheet.label(MARGIN, 50, title, 25) + 14, 50, details(explanation), 15, MUTED)
    parts = [part for place, item in enumerate(items) for part in (Segment(item, (place,)), Segment("  "))][:-1]
    scale = say.effect_scale([explanation.effects])
    # Of many items a strip names the strongest in place of its note.
    looked, moved = (LOOKED_NOTE, MOVED_NOTE) if len(items) <= NUMBERED else ("", "")
    strips = [
        Strip(LOOKED, explanation.weights, say.look_scale(explanation.weights), False, looked),
        Strip(MOVED, explanation.effects, scale, True, moved),
    ]
    y = 92.0
    for place, strip in enumerate(strips):
        if place:
            sheet.rectangle(MARGIN, y - 6, WIDTH - 2 * MARGIN, 1, RULE)
            y += 30
        y = add_strip(sheet, y, strip, parts)
    if not moved:
        y = sheet.paragraph(MARGIN, y, MANY_NOTE, 12, MUTED) + 18
    add_warning(sheet, y, label + "".join(items))
    return sheet


def details(explanation: "HistoryExplanation") -> str:
    """Return what stands beside the item: its rank and score, and what was skipped."""
    told = [f"rank {explanation.rank:,}", f"score {explanation.score:.3f}"]
    if explanation.unknown:
        told.append(f"{explanation.unknown:,} unknown items skipped")
    return "  ·  ".join(told)


def page(explanation: "HistoryExplanation") -> str:
    """Return an explanation as a whole HTML page that may load and run nothing.

    Args:
        explanation: what to show.
    """
    drawn = paint_svg(compose(explanation), margin=12.0).decode("utf-8")
    head = ("past item", "attention", "score lost without it", "probability lost")
    rows = [
        (str(row["item"]), say.long_percent(row["weight"]), f"{row['drop']:+.4f}".replace("-", "−"), _percent(row))
        for row in explanation.table
    ]
    title = f"Why {explanation.item}?"
    heading = f"<header><h1><bdi>{safe(str(explanation.item))}</bdi></h1><p>{safe(details(explanation))}</p></header>"
    section = f'<section><div class="drawn">{drawn}</div>{numbers_table(head, rows)}</section>'
    return framed(title, f"{STYLE}{DRAWN_STYLE}", [heading, section], "")


def _percent(row: dict) -> str:
    return f"{say.long_points(row['effect'])} %"


def lines(explanation: "HistoryExplanation") -> str:
    """Return the table as CSV.

    Args:
        explanation: what to show.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, ("item", "weight", "drop", "effect"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(explanation.table)
    return text.getvalue()
