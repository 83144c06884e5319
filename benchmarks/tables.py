"""Write the tables of README.md and docs/recommendation.md from what was measured, so that no number is typed by hand.

    python benchmarks/tables.py [--check]

A table stands between `<!-- table:NAME -->` and `<!-- end -->`. `--check` writes nothing and exits 1 if one is stale.
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/recommendation.md")


def results(name: str) -> dict:
    """Read results/<name>.json."""
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def markdown(rows: list[dict]) -> str:
    """Write rows as a Markdown table with the keys of the first row as head."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "--|" * len(head)]
    lines += ["| " + " | ".join(str(row[key]).replace("|", "\\|") for key in head) + " |" for row in rows]
    return "\n".join(lines)


def zoo() -> list[dict]:
    """List the pretrained models and the architectures that can be had by name."""
    import attention_zoo

    rows = []
    for card in attention_zoo.list_models():
        measures = ", ".join(f"{name} {value:.3f}" for name, value in (card.metrics or {}).items() if name in SHOWN)
        size = f"{card.bytes / 2**20:.1f} MB" if card.trained else ""
        trained = "pretrained" if card.trained else "untrained"
        rows.append(
            {
                "name": f"`{card.name}`",
                "": trained,
                "what": card.description,
                "attention": card.attention,
                "licence": card.licence,
                "test": measures,
                "size": size,
            }
        )
    return sorted(rows, key=lambda row: (row[""], row["name"]))


SHOWN = (
    "test_accuracy", "test_macro_f1", "test_out_of_scope_auroc", "test_bleu", "test_bleu_tokenised", "test_wer",
    "test_cer", "test_recall@10", "test_ndcg@10",
)  # fmt: skip


def attention() -> list[dict]:
    """List the names of the variants, by section of the catalogue."""
    from attention_zoo import layers
    from attention_zoo.layers.catalogue import catalogue

    sections: dict[str, list[str]] = {}
    for name in layers.names():
        row = layers.info(name).row
        section = "More" if row is None else catalogue()[row]["section"]
        sections.setdefault(section, []).append(f"[`{name}`](docs/attention.md#{name})")
    order = [*dict.fromkeys(row["section"] for row in catalogue().values()), "More"]
    return [{"section": name, "names": " ".join(sections[name])} for name in order if name in sections]


def speed() -> list[dict]:
    """Show the ratios to Keras's layer, by backend and length."""
    found = results("layers")
    rows = []
    for backend, section in sorted(found.items()):
        for row in section["rows"]:
            if "length" in row:
                rows.append(
                    {
                        "backend": backend,
                        "tokens": row["length"],
                        "forward, times Keras's speed": f"{row['forward ratio']:.2f}",
                        "forward and backward": f"{row['both ratio']:.2f}",
                    }
                )
    return rows


def window() -> list[dict]:
    """Show a sliding window against full attention, by backend."""
    rows = []
    for backend, section in sorted(results("layers").items()):
        for row in section["rows"]:
            if "full attention" in row:
                rows.append(
                    {
                        "backend": backend,
                        "full attention by": {
                            "keras": "Keras's layer",
                            "keras map": "Keras's layer with its map",
                            "zoo": "the zoo's layer",
                            "zoo alone": "the zoo, no projections",
                        }[row["full attention"]],
                        "times faster": f"{row['times faster']:.1f}",
                        "peak memory, full": f"{row['full MiB']:.0f} MiB",
                        "window": f"{row['window MiB']:.0f} MiB",
                    }
                )
    return rows


MEASURES = (("clinc150", "accuracy"), ("clinc150", "out_of_scope_auroc"), ("goemotions", "macro_f1"))


def seeds() -> list[dict]:
    """Show what three seeds of each recipe reached on the test split."""
    found, rows = results("text_classifier"), []
    for name, measure in MEASURES:
        values = [run["test"][measure] for run in found[name]["runs"]]
        mean = statistics.mean(values)
        rows.append(
            {
                "data": name,
                "measure": measure.replace("_", " "),
                "each seed": ", ".join(f"{value:.4f}" for value in values),
                "mean and standard deviation": f"{mean:.4f} ± {statistics.stdev(values):.4f}",
            }
        )
    return rows


def next_items() -> list[dict]:
    """Show how well recommenders find the next item of amazon_beauty."""
    from recommenders import DATA, summed_up

    return summed_up(DATA)


def item_lists() -> list[dict]:
    """Show whether the pretrained recommenders give the same lists in each way, and how fast."""
    return [
        {
            "model": f"`{row['preset']}`",
            "by": row["way"],
            "same lists": f"{100 * row['same']:.2f} %",
            "same items": f"{100 * row['common']:.2f} %",
            "histories a second, 256 at once": f"{row['users a second']:,.0f}",
            "one by one": f"{row['users a second, one by one']:,.0f}",
        }
        for row in results("recommenders")["presets"]["rows"]
    ]


def moved() -> list[dict]:
    """Show whether the past item that attention names moves a recommendation, beside one drawn by chance."""

    def share(row: dict, what: str) -> str:
        low, high = row[f"{what}, interval"]
        return f"{100 * row[what]:.1f} % ({100 * low:.1f} to {100 * high:.1f})"

    return [
        {
            "model": f"`{row['preset']}`",
            "users": row["users"],
            "score falls without the named item": share(row, "named lowers"),
            "without another": share(row, "random lowers"),
            "falls more without the named": share(row, "named lowers more"),
        }
        for row in results("recommenders")["explanations"]["rows"]
    ]


def gates() -> list[dict]:
    """Show what learned head gates, one number a head, do for classifiers on clean and on noisy inputs."""
    rows = []
    for path in sorted((ROOT / "benchmarks" / "results").glob("calibration_*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        for row in told.get("calibrate", []):
            if row["rules"] == ["head_gate"]:
                change, low, high = row["change"]["accuracy"]
                before, after = (row[part]["accuracy"][0] for part in ("before", "after"))
                rows.append(
                    {
                        "model": f"`{told['preset']}`",
                        "inputs": row["inputs"],
                        "accuracy": f"{before:.3f}",
                        "with head gates": f"{after:.3f}" if row["kept"] else "taken back",
                        "change, 95 % interval": f"{change:+.3f} [{low:+.3f}, {high:+.3f}]",
                    }
                )
    return rows


TABLES: dict[str, Callable[[], list[dict]]] = {
    "zoo": zoo,
    "attention": attention,
    "speed": speed,
    "window": window,
    "seeds": seeds,
    "next_items": next_items,
    "item_lists": item_lists,
    "moved": moved,
    "gates": gates,
}


def renewed(text: str) -> str:
    """Return a page with its tables written anew."""

    def one(match: re.Match) -> str:
        return f"{match[1]}\n{markdown(TABLES[match[2]]())}\n<!-- end -->"

    return re.sub(r"(<!-- table:(\w+) -->)\n.*?<!-- end -->", one, text, flags=re.DOTALL)


def main() -> int:
    """Renew every page, or say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a table is stale")
    options = parser.parse_args()
    stale = []
    for page in PAGES:
        path = ROOT / page
        before = path.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            stale.append(page)
            if not options.check:
                path.write_text(after, encoding="utf-8")
    print("stale: " + ", ".join(stale) if options.check and stale else "tables are up to date")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
