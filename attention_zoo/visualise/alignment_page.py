"""An alignment as one HTML file: words light up those that they belong to; the matrix, and the maps of every head."""

import json
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.alignment_assets import FILTERS, LEVELS, SCRIPT, STYLE
from attention_zoo.visualise.alignment_sheet import (
    LARGEST_PICTURE,
    TITLE,
    block_of,
    named_every,
    notes,
    peaks,
    scale_of,
)
from attention_zoo.visualise.alignment_words import Axis, Word, WordMatrix, coarser, column_names
from attention_zoo.visualise.heatmap import LABELLED
from attention_zoo.visualise.html_assets import STYLE as HOUSE_STYLE
from attention_zoo.visualise.page_frame import framed, safe
from attention_zoo.visualise.sheet import data_address

if TYPE_CHECKING:
    from attention_zoo.visualise.alignment import Alignment

FRAMES = 120  # columns of an axis that are shown
ROOMY = 24  # words at a side: up to here the cells carry their numbers
LEAST = 0.005  # weight: what is less lights up nothing
CELLS = 1_000_000  # of all maps together: a map that is larger is shown by the largest weight of each block
LEAST_SIDE = 32
NAMED = 5000  # columns of an axis that have names in the maps
PICTURE, CELL = 200, 16  # pixels on the page: the longer side of a head's map, the largest side of its cells
WIDE, TALL, ROW = 700, 600, 18  # pixels on the page: a matrix that is a picture; a row beside an axis
BEGIN = "[BOS]"  # what a decoder reads before its first own piece
KINDS = {"source": "pieces read", "target": "pieces written", "written": "pieces written before", "": "positions"}


def page(alignment: "Alignment") -> str:
    """Return an alignment as a whole HTML page.

    Source and target stand one above the other; pointing at a word, or moving to it by keys, lights the words of the
    other by weight. Below stand the matrix and the maps of each head. A content security policy lets the page load
    nothing and run only its own script; without scripts sentences, matrix and maps are there.

    Args:
        alignment: what to show.
    """
    matrix = coarser(alignment.words(), FRAMES)
    score = "" if alignment.score is None else f"score {alignment.score:.3g}".replace("-", "−")
    body = [
        f"<header><h1>{TITLE}</h1><p>{score}</p></header>",
        _pair(alignment, matrix),
        _matrix(matrix),
        *_sites(alignment),
        _store(alignment, matrix),
    ]
    name = alignment.target.strip()[:60] or TITLE
    return framed(name, f"{HOUSE_STYLE}{STYLE}", body, SCRIPT, before=f"{FILTERS}\n")


def _pair(alignment: "Alignment", matrix: WordMatrix) -> str:
    if isinstance(matrix.columns, Axis):
        read = _line(alignment.source, matrix.columns)
    else:
        read = f"<h3>Read</h3>{_sentence(alignment.source, matrix.columns, 'column', 'Source')}"
    written = f"<h3>Written</h3>{_sentence(alignment.target, matrix.rows, 'row', 'Target')}"
    how = "There is no word to point at."
    if matrix.weights.size:
        how = "Point at a word to light what belongs to it; with keys: Tab to a sentence, arrows along it and across."
    return (
        f'<section class="pair">{read}{written}\n<p class="note how" hidden>{how}</p>'
        '<output id="said" aria-live="polite"></output></section>'
    )


def _sentence(text: str, words: Sequence[Word], side: str, name: str) -> str:
    """Return a text whose words can be pointed at; marks stand at its end."""
    text, cursor, pieces = say.printable(text), 0, []
    for index, word in enumerate(words):
        pieces.append(escape(text[cursor : word.start]))
        kind = ' class="mark"' if word.mark else ""
        between = " " if word.mark and index else ""
        pieces.append(f'{between}<b{kind} data-{side}="{index}">{safe(word.text)}</b>')
        cursor = max(cursor, word.end)
    pieces.append(escape(text[cursor:].rstrip()))
    return f'<p class="strip" dir="auto" role="group" aria-label="{name}">{"".join(pieces) or "–"}</p>'


def _line(name: str, axis: Axis) -> str:
    """Return an axis as a line of blocks that can be pointed at."""
    blocks = "".join(f'<b data-column="{index}" aria-label="{axis.label(index)}"></b>' for index in range(axis.count))
    title = safe(name.strip() or axis.name)
    return (
        f'<h3>Read: <bdi>{title}</bdi></h3><div class="line" role="group" aria-label="{safe(axis.name)}">{blocks}'
        f"</div>{_ends(axis)}"
    )


def _ends(axis: Axis) -> str:
    ends = [axis.start, axis.start + axis.step * axis.count]
    low, high = (safe(f"{end:.6g} {axis.unit}".strip()) for end in ends)
    return f'<div class="ends"><span>{low}</span><span>{high}</span></div>'


def _matrix(matrix: WordMatrix) -> str:
    if not matrix.weights.size:
        return ""
    scale = scale_of(matrix)
    legend = f'<span class="legend ramp">0 %<i></i>{say.long_percent(scale)}</span>'
    rows, columns = matrix.weights.shape
    numbered = max(rows, columns) <= ROOMY and not isinstance(matrix.columns, Axis)
    if isinstance(matrix.columns, Axis) or max(rows, columns) > LABELLED:
        shown = _large(matrix, scale)
    else:
        shown = _table(matrix, scale, numbered)
    return (
        f'<section><div class="bar"><h2>The matrix</h2>{legend}</div><div class="wide">{shown}</div>'
        '<output aria-live="polite"></output>'
        f'<p class="note">{safe(notes(matrix, numbered))}</p></section>'
    )


def _large(matrix: WordMatrix, scale: float) -> str:
    """Return a matrix as a picture, with as many names at its edges as there is room for."""
    rows, columns = matrix.weights.shape
    axis = matrix.columns if isinstance(matrix.columns, Axis) else None
    unit = WIDE / max(rows, columns)
    size = (WIDE, min(ROW * rows, TALL)) if axis else (unit * columns, unit * rows)
    shown = _map(matrix.weights, scale, ("rows", "columns"), "Weights", size, LARGEST_PICTURE)
    above = "" if axis else f'<div></div><div class="above">{_edge(matrix.columns, size[0], "left")}</div>'
    below = f"<div></div>{_ends(axis)}" if axis else ""
    beside = f'<div class="beside">{_edge(matrix.rows, size[1], "top")}</div>'
    return f'<div class="edges">{above}{beside}<div>{shown}</div>{below}</div>'


def _edge(words: Sequence[Word], length: float, side: str) -> str:
    step = named_every(length / len(words))
    return "".join(
        f'<span style="{side}:{100 * (place + 0.5) / len(words):.2f}%"><bdi>{safe(words[place].text)}</bdi></span>'
        for place in range(0, len(words), step)
    )


def _table(matrix: WordMatrix, scale: float, numbered: bool) -> str:
    heads = "".join(
        f'<th scope="col"{_mark(word)}><span><bdi>{safe(word.text)}</bdi></span></th>' for word in matrix.columns
    )
    lines = []
    for word, weights in zip(matrix.rows, matrix.weights):
        cells = "".join(_cell(float(weight), scale) for weight in weights)
        name = f'<th scope="row" title="{safe(word.text)}"{_mark(word)}><bdi>{safe(word.text)}</bdi></th>'
        lines.append(f"<tr>{name}{cells}</tr>")
    kind = "matrix" if numbered else "matrix tight"
    head = f'<tr><td style="outline:0"></td>{heads}</tr>'
    return f'<table class="{kind}"><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table>'


def _cell(weight: float, scale: float) -> str:
    level = round(LEVELS * min(weight / scale, 1.0))
    colour = f' class="l{level}"' if level else ""
    return f"<td{colour}>{say.short_percent(weight)}</td>"


def _mark(word: Word) -> str:
    return ' class="mark"' if word.mark else ""


def _sites(alignment: "Alignment") -> list[str]:
    """Return the maps of each site, all heads side by side, each on its own scale."""
    if not alignment.attention:
        return []
    side = max(LEAST_SIDE, int(np.sqrt(CELLS / sum(maps.shape[0] for maps in alignment.attention.values()))))
    found = []
    for site, maps in alignment.attention.items():
        unit = min(CELL, PICTURE / max(maps.shape[1:]))
        # A map of few rows and thousands of columns still has to be seen.
        size = tuple(max(unit * count, min(CELL * count, PICTURE / 3)) for count in maps.shape[:0:-1])
        figures = "".join(
            f"<figure>{_map(one, float(one.max()), alignment.sides[site], f'head {head + 1}', size, side)}"
            f"<figcaption>head {head + 1}, largest {one.max():.2g}</figcaption></figure>"
            for head, one in enumerate(maps)
        )
        rows, columns = (KINDS[kind] for kind in alignment.sides[site])
        heads = f"{len(maps)} heads" if len(maps) > 1 else "1 head"
        found.append(
            f"<details><summary><bdi>{safe(site)}</bdi>, {heads}</summary>"
            f'<p class="note">Rows: {rows}. Columns: {columns}.<span class="how" hidden> Point at a cell, or move by '
            f'arrow keys, to read its number.</span></p><div class="maps">{figures}</div><output aria-live="polite">'
            "</output></details>"
        )
    return found


def _map(
    weights: np.ndarray, largest: float, kinds: tuple[str, str], name: str, size: tuple[float, float], side: int
) -> str:
    """Return a map in grey, one pixel a cell, to which the page gives its colours.

    Args:
        weights: [row, column].
        largest: weight of the full colour.
        kinds: which names of the store its rows and its columns have.
        name: what a screen reader says.
        size: width and height on the page, in pixels.
        side: a longer map is shown by the largest weight of each block.
    """
    down, across = block_of(weights.shape, side)
    grey = np.rint(255 * np.clip(peaks(weights, side) / (largest or 1.0), 0, 1)).astype(np.uint8)
    return (
        f'<span class="box"><img class="map" width="{size[0]:.0f}" height="{size[1]:.0f}" data-rows="{kinds[0]}" '
        f'data-columns="{kinds[1]}" data-down="{down}" data-across="{across}" data-largest="{largest:.6g}" '
        f'alt="{name}, {weights.shape[0]} x {weights.shape[1]}" src="{data_address(Image.fromarray(grey))}"></span>'
    )


def _store(alignment: "Alignment", matrix: WordMatrix) -> str:
    """Return what the script reads: which words belong together, and what everything is called."""
    pairs = []
    for weights in matrix.weights:
        places = np.flatnonzero(weights >= LEAST)
        whole = np.rint(1000 * weights[places]).astype(int)
        pairs.append(np.stack([places, whole], axis=1).ravel().tolist())
    written = [say.printable(token.text) for token in alignment.rows]
    source = alignment.columns
    if isinstance(source, Axis):
        read = column_names(source) if source.count <= NAMED else []
    else:
        read = [say.printable(token.text) for token in source]
    names = {
        "rows": [word.text for word in matrix.rows],
        "columns": column_names(matrix.columns),
        "target": written,
        "written": [BEGIN, *written[:-1]],
        "source": read,
    }
    store = {
        "pairs": pairs,
        "even": min(1.0, 2.0 / max(1, len(matrix.columns))),
        "words": not isinstance(source, Axis),
        "names": names,
    }
    # "<" must not stand in a script element: "</script>" in a user's text would end it.
    text = json.dumps(store, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")
    return f'<script type="application/json" id="store">{text}</script>'
