"""Write the pages of docs/ that are made from data: the variants, what is not included, the support matrix.

    python benchmarks/pages.py [--check]

`--check` writes nothing and exits 1 if a page is stale. The support matrix is written by `benchmarks/matrix.py`.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import page_calibration  # noqa: E402
import page_emotions  # noqa: E402
import page_images  # noqa: E402
import page_speech  # noqa: E402
import page_translation  # noqa: E402

from attention_zoo import layers  # noqa: E402
from attention_zoo.layers.catalogue import catalogue  # noqa: E402

MADE = "<!-- made by benchmarks/pages.py -->\n"
# Why a row without a sentence of its own is not there.
WAITS = {"P1": "planned", "P2": "waits until somebody asks for it"}
LETTERS = {"passed": "p", "excused": "e", "not applicable": "n", "failed": "f"}


def cell(text: str) -> str:
    """Write a text so that it may stand in a table."""
    return text.replace("|", "\\|")


def linked(names: list[str]) -> str:
    """Write names as links to their entries."""
    return ", ".join(f"[`{name}`](#{name})" for name in names)


def had(row: dict) -> str:
    """Say by which names, or how else, the zoo has a row of the catalogue."""
    parts = [f"{part.split(':')[0]} `{part.split(':')[1]}`" for part in row.get("parts", [])]
    found = ", ".join(filter(None, [linked(row.get("names", [])), *parts]))
    return found or (row.get("instead", "") if row["tier"] == "P0" else "")


def attention() -> str:
    """Write the page of all variants: the catalogue by section, then one entry for each name."""
    lines = ["# Attention variants", "", MADE]
    lines += [
        "Each name goes to `az.layers.get(name, ...)`. P0 is what a zoo cannot do without. What is missing is",
        "[on its own page](not_included.md).",
        "",
    ]
    for section in dict.fromkeys(row["section"] for row in catalogue().values()):
        rows = [row for row in catalogue().values() if row["section"] == section and had(row)]
        lines += [f"## {section}", "", "| # | variant | names | tier |", "|--|--|--|--|"]
        lines += [f"| {row['number']} | {cell(row['title'])} | {cell(had(row))} | {row['tier']} |" for row in rows] + [
            ""
        ]
    extra = [name for name in layers.names() if layers.info(name).row is None]
    if extra:
        lines += ["## Not in the catalogue", "", linked(extra), ""]
    lines += ["## By name", ""]
    for name in sorted(layers.names()):
        lines += entry(layers.info(name))
    return "\n".join(lines).rstrip() + "\n"


def entry(variant: layers.Variant) -> list[str]:
    """Write the entry of one variant."""
    traits = [word for word, holds in (("causal", variant.causal), ("linear in the length", variant.linear)) if holds]
    settings = ", ".join(f"{key}={value!r}" for key, value in variant.settings.items())
    about = (variant.layer.__doc__ or "").strip().splitlines()[0]
    return [
        f"### {variant.name}",
        "",
        f"    {variant.formula}",
        "",
        f"`{variant.layer.__name__}({settings})`: {about}",
        "",
        f"* Source: {variant.source}",
        f"* Roles: {', '.join(variant.roles)}" + (f"; {', '.join(traits)}" if traits else ""),
        f"* Cost: {variant.cost}",
        "",
    ]


def not_included() -> str:
    """Write the page of what the catalogue lists and the zoo does not have as a variant, with the reasons."""
    lines = ["# Not included, and why", "", MADE]
    lines += [
        "The zoo follows a catalogue of the variants that the field knows (`attention_zoo/layers/catalogue.json`).",
        "These of its rows are no names of `az.layers`.",
        "",
    ]
    missing = [row for row in catalogue().values() if not row.get("names") and not row.get("parts")]
    lines += ["| # | variant | source | tier | why |", "|--|--|--|--|--|"]
    for row in missing:
        why = row.get("instead") or WAITS[row["tier"]]
        lines.append(
            "| " + " | ".join([str(row["number"]), *map(cell, (row["title"], row["source"], row["tier"], why))]) + " |"
        )
    partly = [row for row in catalogue().values() if row.get("names") and row.get("without")]
    lines += [
        "",
        "Of these rows, which name several variants, the zoo has some:",
        "",
        "| # | missing | why |",
        "|--|--|--|",
    ]
    lines += [f"| {row['number']} | {cell(row['without'])} | {row.get('instead', WAITS['P1'])} |" for row in partly]
    return "\n".join(lines).rstrip() + "\n"


def write_support(reports: list[dict], seconds: float) -> None:
    """Write docs/support_matrix.md and support.json from the reports of a whole run."""
    names = set(layers.names())
    table: dict[str, dict[str, str]] = {}
    for report in reports:
        if report["case"] in names:
            letters = {result["number"]: LETTERS[result["status"]] for result in report["results"]}
            table.setdefault(report["case"], {})[report["backend"]] = "".join(letters.get(n, "n") for n in range(1, 16))
    about = {"date": time.strftime("%Y-%m-%d"), "variants": dict(sorted(table.items()))}
    path = ROOT / "attention_zoo" / "layers" / "support.json"
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in about["variants"].items())
    path.write_text(f'{{"date": "{about["date"]}", "variants": {{\n{rows}\n}}}}\n', encoding="utf-8")
    (ROOT / "docs" / "support_matrix.md").write_text(support_page(reports, seconds), encoding="utf-8")


def support_page(reports: list[dict], seconds: float) -> str:
    """Write the support matrix: a table for each backend, a row for each case, a column for each check."""
    from attention_zoo.testing import CHECKS

    lines = ["# Support matrix", "", "<!-- made by benchmarks/matrix.py -->", ""]
    lines += [
        "Every case of `tests/layers/cases` against every check, run by `make matrix` on "
        f"{time.strftime('%Y-%m-%d')} in {seconds / 60:.0f} minutes on {os.cpu_count()} cores.",
        "A number is the largest difference, or other measure, that the check met (15: the power with which the",
        "largest array grows); `ok` passed without one; `-` does not apply; `e` is excused, see the end. Exports (13)",
        "and the agreement of the backends (14) are run from the first backend for all.",
        "",
    ]
    lines += [f"{check.number}. {check.name}" for check in CHECKS]
    excuses: dict[str, list[str]] = {}
    for backend in dict.fromkeys(report["backend"] for report in reports):
        lines += ["", f"## {backend}", "", "| case | " + " | ".join(map(str, range(1, 16))) + " |", "|" + "--|" * 16]
        for report in (report for report in reports if report["backend"] == backend):
            found = {result["number"]: result for result in report["results"]}
            cells = [shown(found.get(number)) for number in range(1, 16)]
            lines.append(f"| {report['case']} | " + " | ".join(cells) + " |")
            for result in report["results"]:
                if result["status"] == "excused":
                    excuses.setdefault(f"check {result['number']}: {result['reason']}", []).append(report["case"])
    lines += ["", "## Excused", ""]
    lines += [f"* {', '.join(dict.fromkeys(found))}: {reason}" for reason, found in excuses.items()] or ["Nothing."]
    return "\n".join(lines).rstrip() + "\n"


def shown(result: dict | None) -> str:
    """Write the outcome of one check in a few letters."""
    if result is None or result["status"] == "not applicable":
        return "-"
    if result["status"] != "passed":
        return {"excused": "e", "failed": "FAILED"}[result["status"]]
    if result["number"] == 15:
        return f"{result['measured']['power']:.2f}"
    numbers = [value for value in result["measured"].values() if isinstance(value, float)]
    return f"{max(numbers):.0e}".replace("e-0", "e-") if numbers and max(numbers) else "ok"


def results(name: str) -> dict:
    """Read results/<name>.json: rows by backend; empty where nobody measured yet."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def peers() -> str:
    """Write how far our layers are from trusted implementations with the same weights."""
    found = results("peers")
    differences: dict[tuple[str, str], dict[str, float]] = {}
    notes = {}
    for backend, section in found.items():
        for row in section["rows"]:
            key = (row["variant"], row["peer"])
            differences.setdefault(key, {})[backend] = row["difference"]
            notes[key] = row["note"]
    count, backends = len({variant for variant, _ in differences}), sorted(found)
    lines = ["# Compared with other implementations", "", MADE]
    lines += [
        f"{count} variants, with the weights of a trusted implementation carried over, give its output. Its inputs,",
        "weights and outputs are kept as numbers in `tests/layers/peers` (`benchmarks/peers/record.py` wrote them), so",
        "`tests/layers/test_peers.py` compares on every backend without the other library: at most 1e-5.",
        "",
        "| variant | implementation | " + " | ".join(backends) + " | note |",
        "|--|--|" + "--|" * len(backends) + "--|",
    ]
    for (variant, peer), values in sorted(differences.items()):
        numbers = " | ".join(f"{values[backend]:.0e}".replace("e-0", "e-") for backend in backends)
        link = f"[`{variant}`](attention.md#{variant})"
        lines.append(f"| {link} | {cell(peer)} | {numbers} | {cell(notes[(variant, peer)])} |")
    return "\n".join(lines).rstrip() + "\n"


def efficient() -> str:
    """Write how time and memory of efficient attention grow, a table for each backend."""
    lines = ["# Cost of efficient attention", "", MADE]
    lines += [
        "One forward pass of one layer of 8 heads of 32 channels, batch 1, on 2 CPU cores (`benchmarks/efficient.py`).",
        "The exponents are slopes of log time and log peak memory over log length, from 2,048 tokens on; `linear` is",
        "what the table of variants claims. The C library is told to keep large arrays (`MALLOC_MMAP_THRESHOLD_`,",
        "`MALLOC_TRIM_THRESHOLD_`), for all alike: otherwise each call asks the system for memory page by page, and",
        "long inputs are slower by that. Full attention and the synthesizers form a map, which at 16,384 tokens would",
        "take over 6 GiB.",
    ]
    for backend, section in sorted(results("efficient").items()):
        rows = section["rows"]
        lengths = sorted(int(key.split()[0]) for key in rows[0] if key.endswith(" ms"))
        head = ["variant", "linear", "time exponent", "memory exponent"]
        head += [f"{length} tokens" for length in lengths]
        lines += ["", f"## {backend}", "", "| " + " | ".join(head) + " |", "|" + "--|" * len(head)]
        for row in rows:
            cells = [f"[`{row['variant']}`](attention.md#{row['variant']})", "yes" if row["linear"] else "no"]
            cells += [f"{row[key]:.2f}" if row[key] else "-" for key in ("time exponent", "memory exponent")]
            cells += [taken(row[f"{length} ms"], row[f"{length} MiB"]) for length in lengths]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines).rstrip() + "\n"


def taken(milliseconds: float | str, mebibytes: float | str) -> str:
    """Write time and peak memory of one length."""
    return "-" if isinstance(milliseconds, str) else f"{milliseconds:.3g} ms, {mebibytes:.0f} MiB"


def images() -> str:
    """Write what was measured about networks for images."""
    return page_images.page(results, MADE)


def translation() -> str:
    """Write what was measured about translators."""
    return page_translation.page(results, MADE)


def speech() -> str:
    """Write what was measured about speech recognizers."""
    return page_speech.page(results, MADE)


def emotions() -> str:
    """Write what was measured about emotion recognizers."""
    return page_emotions.page(results, MADE)


def calibration() -> str:
    """Write what was measured about watching and mending attention."""
    paths = sorted((ROOT / "benchmarks" / "results").glob("calibration_*.json"))
    found = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    more = {name: results(name) for name in ("probe_memory", "drawing")}
    return page_calibration.page({one["preset"]: one for one in found}, more, MADE)


PAGES = {
    "attention.md": attention,
    "calibration_results.md": calibration,
    "efficient.md": efficient,
    "emotions.md": emotions,
    "images.md": images,
    "not_included.md": not_included,
    "peers.md": peers,
    "speech.md": speech,
    "translation.md": translation,
}


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    options = parser.parse_args()
    stale = []
    for name, make in PAGES.items():
        path = ROOT / "docs" / name
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not options.check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    print("stale:" if options.check else "written:", ", ".join(stale) or "none")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
