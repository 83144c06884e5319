"""The explanation of a picture as one HTML file: no network, every map of every head."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.html_assets import STYLE
from attention_zoo.visualise.image_sheet import main_panels, notes, site_panels
from attention_zoo.visualise.overlay import HEAT, MIDDLE, STRONGEST, Panel, ground, heat, shown_size
from attention_zoo.visualise.page_frame import framed, safe
from attention_zoo.visualise.palette import from_hex
from attention_zoo.visualise.sheet import data_address
from attention_zoo.visualise.strips import headline

if TYPE_CHECKING:
    from attention_zoo.visualise.image_explanation import ImageExplanation

HEADS = 16  # heads of one site that are drawn
SIDE = 512  # pixels: a larger picture is shrunk to this in the page
CELLS = 112  # pixels: the longer side of a map in the page, which the browser smooths further


def _colour(name: str) -> str:
    """Return the full colour over a middling ground, which the legend ends in."""
    mixed = STRONGEST * from_hex(HEAT[name]) + (1 - STRONGEST) * from_hex(MIDDLE)
    return "rgb(" + " ".join(str(round(255 * part)) for part in mixed) + ")"


PICTURE_STYLE = f"""
.pictures{{display:grid;grid-template-columns:repeat(auto-fill,minmax(10rem,1fr));gap:1.2rem;margin-top:.8rem}}
.pictures.small{{grid-template-columns:repeat(auto-fill,minmax(7.6rem,1fr))}}
figure{{margin:0;min-width:0}}
.frame{{position:relative;display:block;outline:1px solid var(--rule);line-height:0}}
.frame img{{width:100%;display:block}}
.frame img.sharp{{image-rendering:pixelated}}
.frame img.heat{{position:absolute;inset:0;height:100%;opacity:var(--veil,1)}}
figcaption b{{color:var(--ink);font-weight:600;overflow-wrap:anywhere}}
figcaption span{{display:block}}
figure .legend{{margin-top:.4rem;font-size:.75rem}}
figure .legend i{{flex:1;width:auto;min-width:2rem;background:linear-gradient(to right,{MIDDLE},{_colour("look")})}}
figure .legend.both i{{background:linear-gradient(to right,{_colour("against")},{MIDDLE},{_colour("for")})}}
.channels{{margin-top:.8rem}}
.channels img{{width:100%;height:1.6rem;image-rendering:pixelated;outline:1px solid var(--rule)}}
"""

SCRIPT = """
"use strict";
const veil = document.getElementById("veil");
veil.closest("label").hidden = false;
veil.addEventListener("input", () => document.documentElement.style.setProperty("--veil", veil.value / 100));
"""


def page(explanation: "ImageExplanation") -> str:
    """Return an explanation as a whole HTML page.

    The page shows the picture, the same with its attention and with the effects of every class, and each site of
    attention with its heads; a slider makes the heat fainter. A content security policy lets the page load nothing and
    run only its own script; without scripts everything but the slider is there.

    Args:
        explanation: what to show.
    """
    label, details = headline(explanation.answer)
    grounds = _Grounds(explanation.image)
    main = "".join(grounds.figure(panel) for panel in main_panels(explanation))
    body = [
        f"<header><h1><bdi>{safe(label)}</bdi></h1><p>{safe(details)}</p></header>",
        '<section><div class="bar"><h2>Why?</h2><label hidden>Heat <input type="range" id="veil" min="0" max="100" '
        f'value="100"></label></div><div class="pictures">{main}</div><p class="note">{safe(notes(explanation))}</p>'
        "</section>",
        _sites(explanation, grounds),
        _channels(explanation),
    ]
    return framed(f"Why {label}?", f"{STYLE}{PICTURE_STYLE}{grounds.style}", body, SCRIPT)


class _Grounds:
    """The picture in colour and in grey, each kept in the page once and shown under many maps."""

    def __init__(self, image: np.ndarray):
        size = shown_size(*image.shape[:2], SIDE) if max(image.shape) > SIDE else image.shape[1::-1]
        self.size = (int(size[0]), int(size[1]))
        self.sharp = max(self.size) < SIDE / 2
        self.plain, self.grey = (
            data_address(Image.fromarray(one).resize(self.size, Image.Resampling.LANCZOS))
            for one in (image, ground(image))
        )
        longest = max(self.size)
        self.cells = tuple(max(1, round(CELLS * side / longest)) for side in self.size)

    @property
    def style(self) -> str:
        """The grey picture as a background, so that its bytes stand in the page once."""
        rendering = "image-rendering:pixelated;" if self.sharp else ""
        return (
            f".grey{{{rendering}background:url({self.grey}) 0 0/100% 100%;aspect-ratio:{self.size[0]}/{self.size[1]}}}"
            ".grey img{image-rendering:auto}\n"
        )

    def figure(self, panel: Panel) -> str:
        """Return one picture with its heat, legend and words."""
        words = safe(f"{panel.caption}, {panel.note}")
        if panel.values is None:
            kind = ' class="sharp"' if self.sharp else ""
            shown, scale = f'<span class="frame"><img{kind} alt="{words}" src="{self.plain}"></span>', ""
        else:
            veil = heat(panel.values, self.cells, scale=panel.scale, diverging=panel.diverging, smooth=panel.smooth)
            shown = f'<span class="frame grey"><img class="heat" alt="{words}" src="{data_address(veil)}"></span>'
            scale = _legend(float(panel.scale or np.abs(panel.values).max()), panel.diverging)
        name = safe(panel.caption).replace(".", ".<wbr>")
        caption = f"<b><bdi>{name}</bdi></b><span>{safe(panel.note)}</span>"
        return f"<figure>{shown}{scale}<figcaption>{caption}</figcaption></figure>"


def _legend(scale: float, diverging: bool) -> str:
    if diverging:
        return f'<span class="legend both">{say.long_points(-scale)}<i></i>{say.long_points(scale)}</span>'
    return f'<span class="legend">0 %<i></i>{say.long_percent(scale)}</span>'


def _sites(explanation: "ImageExplanation", grounds: _Grounds) -> str:
    panels = site_panels(explanation)
    if not panels:
        return ""
    means = "".join(grounds.figure(panel) for panel in panels)
    heads = []
    for site in explanation.attention:
        looks = explanation.looks(site)
        if looks is None or len(looks) < 2:
            continue
        scale = say.look_scale(looks.reshape(len(looks), -1).max(axis=0))
        figures = "".join(
            grounds.figure(Panel(explanation.image, f"head {place + 1}", "", look, scale))
            for place, look in enumerate(looks[:HEADS])
        )
        more = f'<p class="note">{len(looks) - HEADS} more heads are in the .json.</p>' if len(looks) > HEADS else ""
        heads.append(
            f"<details><summary>Heads of <bdi>{safe(site)}</bdi></summary>"
            f'<div class="pictures small">{figures}</div>{more}</details>'
        )
    return f'<section><h2>Layer by layer</h2><div class="pictures small">{means}</div></section>' + "".join(heads)


def _channels(explanation: "ImageExplanation") -> str:
    lines = []
    for site, gate in explanation.gates.items():
        if gate.ndim == 1:
            bar = Image.new("RGBA", (len(gate), 1), MIDDLE)
            bar.alpha_composite(heat(gate[None], bar.size, diverging=bool(gate.min() < 0), smooth=False))
            note = f"{len(gate)} channels, least {gate.min():.3g}, largest {gate.max():.3g}"
            lines.append(
                f'<figure class="channels"><img alt="{safe(site)}: {note}" '
                f'src="{data_address(bar)}"><figcaption><b><bdi>{safe(site)}</bdi></b> {note}</figcaption></figure>'
            )
    return f"<section><h2>Gates of channels</h2>{''.join(lines)}</section>" if lines else ""
