"""The style sheet and the script of the HTML page."""

from attention_zoo.visualise.palette import DARK, LIGHT, MAP_DARK, MAP_LIGHT


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


STYLE = (
    ":root{color-scheme:light dark;"
    + _variables(LIGHT)
    + f"--ramp:{','.join(MAP_LIGHT)}"
    + "}\n@media (prefers-color-scheme:dark){:root{"
    + _variables(DARK)
    + f"--ramp:{','.join(MAP_DARK)}"
    + "}}\n"
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",sans-serif}
main{max-width:58rem;margin:0 auto;padding:2.5rem 1.5rem 4rem}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem .9rem;margin-bottom:2rem}
h1{font-size:1.75rem;line-height:1.2;margin:0;font-weight:650;overflow-wrap:anywhere}
header p{margin:0;color:var(--muted)}
section{border-top:1px solid var(--rule);padding:1.4rem 0 .9rem}
h2{font-size:1.05rem;margin:0;font-weight:650}
h3{font-size:1rem;margin:1.3rem 0 .3rem;font-weight:600;overflow-wrap:anywhere}
.bar{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.4rem 1.5rem}
.note,figcaption{color:var(--muted);font-size:.85rem;margin:.4rem 0 0}
.legend{display:flex;align-items:center;gap:.5rem;color:var(--muted);font-size:.8rem;white-space:nowrap}
.legend i{width:8rem;height:.75rem;border-radius:.2rem;background:linear-gradient(in oklab to right,var(--paper),
var(--look));outline:1px solid var(--rule)}
.legend.ramp i{background:linear-gradient(in oklab to right,var(--ramp))}
.legend.both i{background:linear-gradient(in oklab to right,var(--against),var(--paper),var(--for))}
.strip{margin:.6rem 0 .2rem;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.75;unicode-bidi:isolate}
.strip b{font-weight:400;position:relative;border-radius:.25rem;padding:.08em .12em;
background:color-mix(in oklab,var(--c) calc(var(--v)*100%),var(--paper))}
.look b{--c:var(--look)}.strip b.f{--c:var(--for)}.strip b.a{--c:var(--against)}
.strip .u{color:var(--muted);font-style:italic}
.strip b:hover{outline:2px solid var(--ink);z-index:1}
.strip b:hover::before{content:attr(data-n);position:absolute;left:50%;bottom:calc(100% + .35rem);translate:-50% 0;
background:var(--ink);color:var(--paper);font-size:.8rem;line-height:1;padding:.35rem .5rem;border-radius:.3rem;
white-space:nowrap;pointer-events:none}
main:has(#numbers:checked) .strip{line-height:1.5}
main:has(#numbers:checked) .strip b{display:inline-block;vertical-align:top;text-align:center;
background:none;padding:0;min-width:1.6em;max-width:100%}
main:has(#numbers:checked) .strip b span{display:block;border-radius:.25rem;padding:.08em .22em;
background:color-mix(in oklab,var(--c) calc(var(--v)*100%),var(--paper))}
main:has(#numbers:checked) .strip b::after{content:attr(data-s);display:block;color:var(--muted);font-size:.68rem;
line-height:1.35;min-height:1.35em;font-variant-numeric:tabular-nums;direction:ltr}
label,select,button{font:inherit;font-size:.9rem}
label{display:inline-flex;align-items:center;gap:.4rem}
select{color:var(--ink);background:var(--paper);border:1px solid var(--muted);border-radius:.35rem;padding:.2rem .4rem;
max-width:20rem}
input{accent-color:var(--look)}
:focus-visible{outline:2px solid var(--look);outline-offset:2px}
canvas{display:block;max-width:100%;margin-top:1rem;touch-action:none}
output{display:block;font-size:.95rem;margin-top:.5rem;min-height:1.6em;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
details{border-top:1px solid var(--rule);padding:1.2rem 0}
summary{cursor:pointer;font-weight:650}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin-top:.8rem;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .9rem .2rem 0;text-align:right;border-bottom:1px solid var(--rule);font-weight:400}
th:first-child{text-align:start;max-width:24rem;overflow-wrap:anywhere}
thead th{color:var(--muted);vertical-align:bottom}
[hidden]{display:none!important}
@media print{select,label{display:none}b,i{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
)

SCRIPT = """
"use strict";
const find = id => document.getElementById(id);
const chooser = find("class");
if (chooser) {
  chooser.closest("label").hidden = false;
  const show = () => document.querySelectorAll("[data-class]").forEach(part => {
    part.hidden = chooser.value !== "all" && part.dataset.class !== chooser.value;
  });
  chooser.addEventListener("change", show);
  show();
}
const store = find("store");
if (store) {
  const {sites, words, ramps} = JSON.parse(store.textContent);
  const [site, head, canvas, readout] = ["site", "head", "map", "readout"].map(find);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let seen = null, spot = null;
  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const colour = share => {
    const table = ramps[dark.matches ? "dark" : "light"];
    return table[Math.min(table.length - 1, Math.round(share * (table.length - 1)))];
  };
  const name = (index, step, count) => step > 1
    ? `${index * step} to ${Math.min(count, (index + 1) * step) - 1}`
    : count === words.length ? words[index] : String(index);
  const brief = text => text.length > 14 ? text.slice(0, 13) + "…" : text;
  const option = (text, value) => Object.assign(document.createElement("option"), {textContent: text, value});

  function choose() {
    const chosen = sites[site.value], before = head.value;
    head.replaceChildren(...Array.from({length: chosen.heads}, (_, index) => option(`head ${index + 1}`, index)));
    if (Number(before) < chosen.heads && before !== "") head.value = before;
    draw();
  }
  function draw() {
    const chosen = sites[site.value], {rows, columns, step, full} = chosen;
    const raw = bytes(chosen.data), data = new Uint16Array(raw.buffer), from = head.value * rows * columns;
    let peak = 1;
    for (let place = 0; place < rows * columns; place++) peak = Math.max(peak, data[from + place]);
    const context = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
    const style = getComputedStyle(document.documentElement);
    const worded = step === 1 && Math.max(rows, columns) <= 60;
    context.font = "12px system-ui, sans-serif";
    const room = count => worded ? 12 + Math.max(...Array.from({length: count},
      (_, index) => context.measureText(brief(name(index, 1, count))).width)) : 44;
    const left = rows > 1 ? room(full[0]) : 0, top = room(full[1]);
    const wide = Math.max(200, canvas.parentElement.clientWidth - left - 2);
    const cell = Math.min(worded ? 26 : 4, wide / columns, Math.max(worded ? 14 : 0, 620 / rows));
    const width = left + cell * columns + 2, height = top + Math.max(cell * rows, 14) + 2;
    canvas.width = width * ratio; canvas.height = height * ratio;
    canvas.style.width = width + "px"; canvas.style.height = height + "px";
    context.scale(ratio, ratio);
    context.font = "12px system-ui, sans-serif";
    const deep = Math.max(cell, rows === 1 ? 14 : 0);
    for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
      context.fillStyle = colour(data[from + row * columns + column] / peak);
      context.fillRect(left + column * cell, top + row * cell, cell + .4, deep + .4);
    }
    context.strokeStyle = style.getPropertyValue("--muted");
    context.strokeRect(left, top, cell * columns, deep * rows);
    context.fillStyle = style.getPropertyValue("--muted");
    const rhythm = count => { let step = 1; for (const part of [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000])
      if (count / step > 8) step = part; return step; };
    const each = worded ? 1 : rhythm(full[0]), over = worded ? 1 : rhythm(full[1]);
    context.textBaseline = "middle"; context.textAlign = "right";
    if (rows > 1) for (let row = 0; row < full[0]; row += each)
      context.fillText(worded ? brief(name(row, 1, full[0])) : row, left - 7, top + (row / step + .5) * cell);
    context.textAlign = "left";
    for (let column = 0; column < full[1]; column += over) {
      context.save();
      context.translate(left + (column / step + .5) * cell, top - 6);
      context.rotate(-Math.PI / 2);
      context.fillText(worded ? brief(name(column, 1, full[1])) : column, 0, 0);
      context.restore();
    }
    seen = {left, top, cell, deep, rows, columns, step, full, at: (row, column) =>
      data[from + row * columns + column] / 65535 * chosen.largest};
    find("end").textContent = (chosen.largest * peak / 65535).toPrecision(3);
    if (spot && (spot[0] >= rows || spot[1] >= columns)) spot = null;
    tell();
  }
  function tell() {
    if (!spot) { readout.textContent = "Point at a cell, or use the arrow keys, to read its number."; return; }
    const [row, column] = spot, key = name(column, seen.step, seen.full[1]);
    const number = seen.at(row, column).toPrecision(3);
    const query = seen.full[0] > 1 ? `${name(row, seen.step, seen.full[0])} → ` : "";
    readout.textContent = `${query}${key}: ${number}${seen.step > 1 ? " (largest of its block)" : ""}`;
  }
  canvas.addEventListener("pointermove", event => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - seen.left) / seen.cell);
    const row = Math.floor((event.clientY - box.top - seen.top) / seen.deep);
    const inside = row >= 0 && column >= 0 && row < seen.rows && column < seen.columns;
    if (inside) { spot = [row, column]; tell(); }
  });
  canvas.addEventListener("keydown", event => {
    const move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!move) return;
    event.preventDefault();
    const [row, column] = spot || [0, -1];
    const within = (place, count) => Math.min(count - 1, Math.max(0, place));
    spot = [within(row + move[0], seen.rows), within(column + move[1], seen.columns)];
    tell();
  });
  site.replaceChildren(...Object.keys(sites).map(key => option(key, key)));
  site.addEventListener("change", choose);
  head.addEventListener("change", draw);
  dark.addEventListener("change", draw);
  window.addEventListener("resize", draw);
  find("maps").hidden = false;
  choose();
}
"""
