"""An explanation as one HTML file: no network, no font, no script of others, readable without any."""

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.heatmap import shrink
from attention_zoo.visualise.html_assets import SCRIPT, STYLE
from attention_zoo.visualise.page_frame import framed, safe
from attention_zoo.visualise.palette import MAP_DARK, MAP_LIGHT, ramp, to_hex
from attention_zoo.visualise.segments import Segment, segment_values
from attention_zoo.visualise.strips import NUMBERED, Strip, attention_strip, effect_strips, headline

if TYPE_CHECKING:
    from attention_zoo.visualise.explanation import Explanation

MAP_CELLS = 1_000_000  # of all maps together; two bytes each, so a page stays under 3 MB
LEAST_SIDE = 32


def page(explanation: "Explanation") -> str:
    """Return an explanation as a whole HTML page.

    The page shows the text coloured by attention and, for each class, by effect; a switch shows every number below
    its word, the pointer shows one, and a table lists all. Attention maps are drawn by the page's own script, one site
    and head at a time. Without scripts everything but the maps is there. A content security policy lets the page load
    nothing and run only its own script. Maps that would make the page larger than 3 MB are shown by the largest weight
    of each block.

    Args:
        explanation: what to show.
    """
    label, details = headline(explanation.answer)
    parts = explanation.segments()
    looks = attention_strip(explanation.weights)
    effects = effect_strips(explanation.effects)
    body = [
        f"<header><h1><bdi>{safe(label)}</bdi></h1><p>{safe(details)}</p></header>",
        _look_section(looks, parts),
        _effect_section(list(explanation.effects), effects, parts),
        _map_section(explanation),
        _table(parts, explanation),
    ]
    return framed(f"Why {label}?", STYLE, body, SCRIPT, pictures=False)


def _look_section(strip: Strip, parts: Sequence[Segment]) -> str:
    checked = " checked" if 0 < strip.values.size <= NUMBERED else ""
    return (
        f'<section><div class="bar"><h2>{safe(strip.title)}</h2>{_legend(strip)}</div>\n'
        f"{_strip(strip, parts)}\n"
        f'<div class="bar"><p class="note">{_most(strip, parts)}</p>'
        f'<label><input type="checkbox" id="numbers"{checked}> Numbers below the words</label></div></section>'
    )


def _effect_section(labels: list[str], strips: list[Strip], parts: Sequence[Segment]) -> str:
    if not strips:
        return ""
    options = '<option value="all">all classes</option>' + "".join(
        f'<option value="{index}"{" selected" if index == 0 else ""}>{safe(name)}</option>'
        for index, name in enumerate(labels)
    )
    chooser = f'<label hidden>Class <select id="class">{options}</select></label>' if len(strips) > 1 else ""
    shown = "\n".join(
        f'<div data-class="{index}"><h3><bdi>{safe(name)}</bdi></h3>{_strip(strip, parts)}'
        f'<p class="note">{_most(strip, parts)}</p></div>'
        for index, (name, strip) in enumerate(zip(labels, strips))
    )
    return (
        f'<section><div class="bar"><h2>What moved the scores</h2>{chooser}{_legend(strips[0])}</div>\n'
        f'<p class="note">{safe("Points of 100 that the score loses when the word is hidden from the model.")}</p>\n'
        f"{shown}</section>"
    )


def _strip(strip: Strip, parts: Sequence[Segment]) -> str:
    if not strip.values.size:
        return '<p class="note">There is no token to colour: the model read nothing of this text.</p>'
    pieces = []
    for part, value in zip(parts, segment_values(parts, strip.values)):
        if value is None:
            pieces.append(f'<span class="u">{safe(part.text)}</span>' if part.note else safe(part.text))
            continue
        share = min(abs(value) / strip.scale, 1.0)
        side = f' class="{"f" if value >= 0 else "a"}"' if strip.diverging else ""
        short = say.short_points(value) if strip.diverging else say.short_percent(value)
        long = say.long_points(value) + " points" if strip.diverging else say.long_percent(value)
        pieces.append(
            f'<b{side} style="--v:{share:.3f}" data-s="{short}" data-n="{long}"><span>{safe(part.text)}</span></b>'
        )
    kind = "strip" if strip.diverging else "strip look"
    return f'<p class="{kind}" dir="auto">{"".join(pieces)}</p>'


def _legend(strip: Strip) -> str:
    if not strip.values.size:
        return ""
    if strip.diverging:
        low, high = f"against {say.long_points(-strip.scale)}", f"{say.long_points(strip.scale)} speaks for"
        return f'<span class="legend both">{low}<i></i>{high}</span>'
    return f'<span class="legend">0 %<i></i>{say.long_percent(strip.scale)} of the attention</span>'


def _most(strip: Strip, parts: Sequence[Segment]) -> str:
    show = say.long_points if strip.diverging else say.long_percent
    top = say.strongest(parts, strip.values)
    if not top:
        return "No word counts for as much as half a point." if strip.diverging else ""
    return "Most: " + ", ".join(f"“<bdi>{safe(text[:40])}</bdi>” {show(value)}" for text, value in top)


def _table(parts: Sequence[Segment], explanation: "Explanation") -> str:
    if not explanation.weights.size:
        return ""
    weights = segment_values(parts, explanation.weights)
    effects = [segment_values(parts, values) for values in explanation.effects.values()]
    heads = "".join(f'<th scope="col"><bdi>{safe(label)}</bdi>, points</th>' for label in explanation.effects)
    rows = "".join(
        f'<tr><th scope="row"><bdi>{safe(part.text)}</bdi></th><td>{say.long_percent(weights[place])}</td>'
        + "".join(f"<td>{say.long_points(values[place])}</td>" for values in effects)
        + "</tr>"
        for place, part in enumerate(parts)
        if part.tokens
    )
    return (
        '<details><summary>All numbers</summary><div class="wide"><table><thead><tr><th scope="col">Word</th>'
        f'<th scope="col">Attention</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def _map_section(explanation: "Explanation") -> str:
    if not explanation.attention:
        return ""
    cells = MAP_CELLS / sum(maps.shape[0] for maps in explanation.attention.values())
    side = max(LEAST_SIDE, int(np.sqrt(cells)))
    places = np.linspace(0.0, 1.0, 64)
    store = {
        "sites": {site: _packed(maps, side) for site, maps in explanation.attention.items()},
        "words": [say.printable(token.text) for token in explanation.tokens],
        "ramps": {
            "light": [to_hex(colour) for colour in ramp(places, MAP_LIGHT)],
            "dark": [to_hex(colour) for colour in ramp(places, MAP_DARK)],
        },
    }
    # "<" must not stand in a script element: "</script>" in a user's text would end it.
    text = json.dumps(store, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")
    return (
        '<noscript><section><p class="note">The attention maps of every head need JavaScript.</p></section></noscript>'
        '<section id="maps" hidden><div class="bar"><h2>Attention maps</h2>'
        '<label>Layer <select id="site"></select></label><label>Head <select id="head"></select></label>'
        '<span class="legend ramp">0<i></i>'
        '<span id="end"></span></span></div>'
        '<p class="note">Rows look, columns are looked at.</p>'
        '<canvas id="map" tabindex="0" role="img" aria-label="Attention map; arrow keys move, the number is read below"'
        ' aria-describedby="readout"></canvas><output id="readout" aria-live="polite"></output></section>'
        f'<script type="application/json" id="store">{text}</script>'
    )


def _packed(maps: np.ndarray, side: int) -> dict:
    """Return maps as whole numbers of 0..65535 in base64, with what it takes to read them."""
    small, step = shrink(maps, side)
    largest = float(small.max())
    whole = np.rint(small * (65535 / largest if largest > 0 else 0.0)).astype("<u2")
    return {
        "heads": small.shape[0],
        "rows": small.shape[1],
        "columns": small.shape[2],
        "full": list(maps.shape[1:]),
        "step": step,
        "largest": largest,
        "data": base64.b64encode(whole.tobytes()).decode(),
    }
