"""What each modality did for an answer as one HTML file: no network, no script, every number in a table."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.html_assets import STYLE
from attention_zoo.visualise.modality_sheet import add_panel, add_weights, long_share, new_sheet
from attention_zoo.visualise.modality_views import FramesView, SoundView, VectorsView, View, WordsView
from attention_zoo.visualise.page_frame import framed, numbers_table, safe
from attention_zoo.visualise.sheet import Sheet, paint_svg
from attention_zoo.visualise.strips import headline

if TYPE_CHECKING:
    from attention_zoo.visualise.modality_explanation import ModalityExplanation

TOP = 24.0  # above the first line of a part
TENTH = 0.1  # seconds: of a line of the table of a sound
DRAWN_STYLE = """
.drawn{margin:0 -1.75rem;background:#fff;border-radius:.4rem;line-height:0}
.drawn svg{width:100%;height:auto}
details{border:0;padding:.1rem 0 .6rem}
summary{font-weight:400;font-size:.9rem;color:var(--muted)}
"""


def page(explanation: "ModalityExplanation") -> str:
    """Return an explanation as a whole HTML page.

    The parts are those of the picture, as drawings whose words can be marked and searched; below each are all of its
    numbers. A content security policy lets the page load and run nothing.

    Args:
        explanation: what to show.
    """
    label, details = headline(explanation.answer)
    weights = _section(explanation, partial(add_weights, y=TOP, explanation=explanation), _weights_table(explanation))
    panels = []
    for modality, view in explanation.views.items():
        table = "" if view is None else _TABLES[type(view)](view)
        panels.append(_section(explanation, partial(add_panel, y=TOP, modality=modality, view=view), table))
    header = f"<header><h1><bdi>{safe(label)}</bdi></h1><p>{safe(details)}</p></header>"
    return framed(f"Why {label}?", f"{STYLE}{DRAWN_STYLE}", [header, weights, *panels], "")


def _section(explanation: "ModalityExplanation", draw: Callable[[Sheet], float], table: str) -> str:
    sheet = new_sheet(explanation)
    draw(sheet)
    drawn = paint_svg(sheet, margin=12.0).decode("utf-8")
    return f'<section><div class="drawn">{drawn}</div>{table}</section>'


def _weights_table(explanation: "ModalityExplanation") -> str:
    gates = explanation.gates or {}
    head = ["modality", "log-probability", "share", *(["gate"] if gates else [])]
    rows = [
        [name, f"{effect:+.4f}", long_share(explanation.shares[name]), *([long_share(gates[name])] if gates else [])]
        for name, effect in explanation.effects.items()
    ]
    ends = [("nothing known", explanation.prior), ("all", explanation.score)]
    rows += [[name, f"{value:+.4f}", *[""] * (len(head) - 2)] for name, value in ends]
    return numbers_table(head, rows)


def _frames(view: FramesView) -> str:
    looks = view.weights.sum(axis=(1, 2))
    return numbers_table(
        ["picture", "attention"], ([f"{place}", say.long_percent(look)] for place, look in enumerate(looks, 1))
    )


def _sound(view: SoundView) -> str:
    bins = (np.arange(len(view.weights)) * view.step / TENTH + 1e-6).astype(int)
    sums = np.bincount(bins, weights=view.weights)
    rows = (
        [f"{place * TENTH:.1f} to {(place + 1) * TENTH:.1f}", say.long_percent(look)] for place, look in enumerate(sums)
    )
    return numbers_table(["seconds", "attention"], rows)


def _words(view: WordsView) -> str:
    parts = say.segments(view.text, view.tokens)
    values = say.segment_values(parts, view.weights)
    rows = ([part.text, say.long_percent(value)] for part, value in zip(parts, values) if value is not None)
    return numbers_table(["word", "attention"], rows)


def _vectors(view: VectorsView) -> str:
    mean = view.weights @ view.values
    rows = (
        [view.names[place], say.long_points(view.effects[place]), f"{mean[place]:+.2f}".replace("-", "−")]
        for place in view.order
    )
    return numbers_table(["number", "points of 100", "deviations above the mean"], rows)


_TABLES: dict[type, Callable[[View], str]] = {
    FramesView: _frames,
    SoundView: _sound,
    WordsView: _words,
    VectorsView: _vectors,
}
