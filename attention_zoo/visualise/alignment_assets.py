"""The style sheet and the script of the HTML page of an alignment."""

import numpy as np

from attention_zoo.visualise.alignment_sheet import ink_on
from attention_zoo.visualise.palette import MAP_DARK, MAP_LIGHT, ramp, to_hex

LEVELS = 32  # colours of the cells of a table, from the faintest to the full one
STOPS = 17  # points of the curve that turns grey into the colours of a map


def _levels(stops: tuple[str, ...]) -> str:
    colours = [to_hex(colour) for colour in ramp(np.arange(1, LEVELS + 1) / LEVELS, stops)]
    return "".join(
        f".matrix .l{level}{{background:{colour};color:{ink_on(colour)}}}" for level, colour in enumerate(colours, 1)
    )


def _filter(name: str, stops: tuple[str, ...]) -> str:
    curve = ramp(np.linspace(0, 1, STOPS), stops) / 255
    channels = "".join(
        f'<feFunc{letter} type="table" tableValues="{" ".join(f"{value:.3f}" for value in curve[:, place])}"/>'
        for place, letter in enumerate("RGB")
    )
    curves = f"<feComponentTransfer>{channels}</feComponentTransfer>"
    return f'<filter id="{name}" color-interpolation-filters="sRGB">{curves}</filter>'


# Maps are kept once, in grey, where a script can read the numbers back; these give them the colours of either mode.
FILTERS = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true">'
    + _filter("light", MAP_LIGHT)
    + _filter("dark", MAP_DARK)
    + "</svg>"
)

STYLE = (
    """
.pair{margin:.2rem 0}
.pair h3{margin:.8rem 0 0;font-size:.85rem;font-weight:400;color:var(--muted)}
.pair .strip{margin:0;font-size:1.15rem;line-height:2.2}
.pair b{--v:0;--c:var(--look);cursor:default;padding:.12em .14em;margin:0 -.1em}
.pair b.mark{color:var(--muted)}
.pair b:hover::before{content:none}
.pair b[data-s]::after{content:attr(data-s);position:absolute;left:50%;top:calc(100% - .1rem);translate:-50% 0;
font-size:.68rem;line-height:1.3;color:var(--muted);direction:ltr;white-space:nowrap;pointer-events:none}
.pair b.on,.pair b:focus-visible{outline:2px solid var(--ink);outline-offset:0;z-index:1}
.line{display:flex;height:2rem;margin:.5rem 0 .3rem;outline:1px solid var(--rule);direction:ltr}
.line b{flex:1;min-width:0;position:relative;background:color-mix(in oklab,var(--c) calc(var(--v)*100%),var(--paper))}
.ends{display:flex;justify-content:space-between;color:var(--muted);font-size:.8rem;direction:ltr}
.matrix{margin-top:1rem;font-size:.8rem;border-spacing:1px;border-collapse:separate;line-height:1.2}
.matrix th,.matrix td{padding:0;border:0;color:inherit}
.matrix thead th{vertical-align:bottom;text-align:start;color:var(--ink)}
.matrix thead th span{writing-mode:vertical-rl;rotate:180deg;white-space:nowrap;max-height:12rem;overflow:hidden;
text-overflow:ellipsis;padding:.35rem 0;display:inline-block;margin:0 auto}
.matrix thead th{text-align:center}
.matrix tbody th{text-align:end;white-space:nowrap;max-width:14rem;overflow:hidden;text-overflow:ellipsis;
padding-inline-end:.5rem}
.matrix .mark{color:var(--muted)!important}
.matrix td{width:2.1rem;min-width:2.1rem;height:2.1rem;text-align:center;font-size:.75rem;
outline:1px solid var(--rule);print-color-adjust:exact;-webkit-print-color-adjust:exact}
.matrix.tight td{width:.95rem;min-width:.95rem;height:.95rem;font-size:0}
.matrix.tight{font-size:.7rem}
.matrix td.on{outline:2px solid var(--ink);position:relative;z-index:1}
.matrix th.on{font-weight:700}
.maps{display:flex;flex-wrap:wrap;gap:1.1rem 1.4rem;margin-top:.9rem;align-items:flex-end}
.maps figure{margin:0;min-width:0;max-width:100%}
.box{display:inline-block;max-width:100%;border:1px solid var(--rule);line-height:0;vertical-align:top}
.box:has(:focus-visible){outline:2px solid var(--look)}
img.map{image-rendering:pixelated;filter:url(#light);max-width:100%;outline:0;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.edges{display:grid;grid-template-columns:9rem max-content;margin-top:1rem;padding-bottom:.6rem;
font-size:.7rem;line-height:1.2}
.edges .box,.edges img.map{max-width:none}
.above,.beside{position:relative}
.above{height:7rem}
.above span,.beside span{position:absolute;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.above span{bottom:.35rem;translate:-50% 0;writing-mode:vertical-rl;rotate:180deg;max-height:6.5rem}
.beside span{right:.5rem;translate:0 -50%;max-width:8.4rem}
details+details{margin-top:0}
@media (max-width:40rem){.matrix:not(.tight) td{width:1.6rem;min-width:1.6rem;height:1.6rem}}
"""
    + _levels(MAP_LIGHT)
    + "\n@media (prefers-color-scheme:dark){img.map{filter:url(#dark)}"
    + _levels(MAP_DARK)
    + "}\n"
)

SCRIPT = """
"use strict";
const store = JSON.parse(document.getElementById("store").textContent), {pairs, even, names} = store;
const sides = ["column", "row"].map(side =>
  [...document.querySelectorAll(`[data-${side}]`)].sort((a, b) => a.dataset[side] - b.dataset[side]));
const [columns, rows] = sides, matrix = document.querySelector("table.matrix");
const beside = matrix && matrix.closest("section").querySelector("output"), readout = document.getElementById("said");
const percent = weight => weight >= .0995 ? `${Math.round(100 * weight)} %` : `${(100 * weight).toFixed(1)} %`;
const back = columns.map(() => []), there = rows.map(() => []);
pairs.forEach((pair, row) => {
  for (let place = 0; place < pair.length; place += 2) {
    there[row].push([pair[place], pair[place + 1] / 1000]);
    back[pair[place]].push([row, pair[place + 1] / 1000]);
  }
});
let lit = [], kept = null;

function clear() {
  for (const part of lit) { part.classList.remove("on"); part.style.removeProperty("--v"); delete part.dataset.s; }
  lit = [];
}
const on = part => { if (part) { part.classList.add("on"); lit.push(part); } };
const cell = (row, column) => matrix && matrix.rows[row + 1] && matrix.rows[row + 1].cells[column + 1];
function light(side, index, said = readout) {
  clear();
  const word = sides[side][index], others = sides[1 - side], found = (side ? there : back)[index];
  // The heaviest gets the full colour, unless all are about even.
  const top = Math.max(even, ...found.map(pair => pair[1]));
  on(word);
  if (matrix) on(side ? cell(index, -1) : cell(-1, index));
  for (const [other, weight] of found) {
    const part = others[other];
    part.style.setProperty("--v", Math.min(1, weight / top).toFixed(3));
    if (store.words || side === 0) part.dataset.s = String(Math.round(100 * weight) || "");
    lit.push(part);
    if (matrix) on(side ? cell(index, other) : cell(other, index));
  }
  const [own, other] = side ? [names.rows, names.columns] : [names.columns, names.rows];
  const best = [...found].sort((a, b) => b[1] - a[1]).slice(0, 6);
  const list = best.map(([place, weight]) => `“${other[place]}” ${percent(weight)}`).join(", ") || "nothing";
  said.textContent = `“${own[index]}” ${side ? "looked at" : "was looked at by"}: ${list}`;
}
function again() {
  clear();
  readout.textContent = "";
  if (beside) beside.textContent = "";
  if (kept) light(...kept);
}
function point(row, column) {
  light(1, row, beside);
  on(columns[column]);
  const found = there[row].find(pair => pair[0] === column), share = found ? percent(found[1]) : "under 0.5 %";
  beside.textContent = `“${names.rows[row]}” → “${names.columns[column]}”: ${share}`;
}
sides.forEach((words, side) => words.forEach((word, index) => {
  word.tabIndex = index ? -1 : 0;
  word.addEventListener("pointerenter", () => light(side, index));
  word.addEventListener("pointerleave", again);
  word.addEventListener("focus", () => {
    words.forEach(other => { other.tabIndex = other === word ? 0 : -1; });
    kept = [side, index];
    again();
  });
  word.addEventListener("blur", () => { kept = null; again(); });
  word.addEventListener("keydown", event => move(event, side, index));
}));
function move(event, side, index) {
  const words = sides[side], turned = getComputedStyle(words[index].parentElement).direction === "rtl" ? -1 : 1;
  const steps = {ArrowRight: turned, ArrowLeft: -turned, Home: -words.length, End: words.length};
  let next = null;
  if (event.key in steps) next = words[Math.min(words.length - 1, Math.max(0, index + steps[event.key]))];
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const found = [...(side ? there : back)[index]].sort((a, b) => b[1] - a[1])[0];
    next = sides[1 - side][found ? found[0] : 0];
  }
  if (event.key === "Escape") words[index].blur();
  if (!next) return;
  event.preventDefault();
  next.focus();
}
if (matrix) {
  matrix.addEventListener("pointerover", event => {
    const part = event.target.closest("th,td");
    if (!part) return;
    const row = part.parentElement.rowIndex - 1, column = part.cellIndex - 1;
    if (row >= 0 && column >= 0) point(row, column);
    else if (row >= 0) light(1, row, beside);
    else if (column >= 0) light(0, column, beside);
  });
  matrix.addEventListener("pointerleave", again);
}

const brush = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const spots = new Map();
function number(image, row, column) {
  brush.canvas.width = image.naturalWidth;
  brush.canvas.height = image.naturalHeight;
  brush.drawImage(image, 0, 0);
  return brush.getImageData(column, row, 1, 1).data[0] / 255 * image.dataset.largest;
}
function called(kind, place, step) {
  const name = index => names[kind] && names[kind][index] !== undefined ? `“${names[kind][index]}”` : String(index);
  return step > 1 ? `${name(place * step)} and ${step - 1} more` : name(place);
}
function tell(image, row, column) {
  spots.set(image, [row, column]);
  const {rows: kind, columns: other, down, across} = image.dataset, weight = number(image, row, column).toPrecision(2);
  if (kind === "rows" && down === "1" && across === "1") {
    light(1, row);
    on(columns[column]);
  }
  const text = `${called(kind, row, down)} → ${called(other, column, across)}: ${weight}`;
  image.closest("details,section").querySelector("output").textContent = text;
}
document.querySelectorAll("img.map").forEach(image => {
  image.tabIndex = 0;
  image.addEventListener("pointermove", event => {
    const box = image.getBoundingClientRect(), {naturalWidth: wide, naturalHeight: high} = image;
    const within = (place, count) => Math.min(count - 1, Math.max(0, Math.floor(place * count)));
    const row = within((event.clientY - box.top) / box.height, high);
    tell(image, row, within((event.clientX - box.left) / box.width, wide));
  });
  image.addEventListener("pointerleave", again);
  image.addEventListener("keydown", event => {
    const go = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!go) return;
    event.preventDefault();
    const [row, column] = spots.get(image) || [0, -1];
    const within = (place, count) => Math.min(count - 1, Math.max(0, place));
    tell(image, within(row + go[0], image.naturalHeight), within(column + go[1], image.naturalWidth));
  });
});
document.querySelectorAll(".how").forEach(part => { part.hidden = false; });
"""
