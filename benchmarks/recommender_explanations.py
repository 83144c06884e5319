"""Does the item that the attention names move the recommendation? Checked by leaving it out, beside a random one.

    KERAS_BACKEND=torch python benchmarks/recommender_explanations.py NAME ... [--users 1000] [--data amazon_beauty]

For users of the test split with two items or more that are read, the best item that they have not seen is explained.
"named lowers" is how often its score falls when the item that the network looked at most is left out of the history,
"random lowers" the same for another item of that history, drawn (seed 0), and "named lowers more" how often the first
fall is larger than the second; each with its 95 % interval (Wilson 1927). Writes the section "explanations" of
`benchmarks/results/recommenders.json`; a preset that is there is not measured again without `--again`.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import harness
import numpy as np

NAME, DATA, SYNTHETIC, SECTION = "recommenders", "amazon_beauty", "synthetic_interactions", "explanations"
NORMAL = 1.959964  # standard deviations of 95 %


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the interval of a share."""
    share, wide = hits / count, NORMAL**2 / count
    middle = (share + wide / 2) / (1 + wide)
    half = NORMAL * math.sqrt(share * (1 - share) / count + wide / (4 * count)) / (1 + wide)
    return round(middle - half, 4), round(middle + half, 4)


def falls(task: Any, histories: list[list]) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the score falls without the item that is named, and without another one, for each history."""
    generator = np.random.default_rng(0)
    named, drawn = [], []
    for number, history in enumerate(histories, 1):
        found = task.explain(history)
        if len(found.history) > 1:
            best = int(np.argmax(found.weights))
            others = np.delete(np.arange(len(found.history)), best)
            named.append(found.drops[best])
            drawn.append(found.drops[generator.choice(others)])
        if number % 100 == 0:
            print(f"{number} of {len(histories)}", flush=True)
    return np.array(named), np.array(drawn)


def judge(preset: str, name: str, histories: list[list]) -> dict[str, Any]:
    """Explain for all histories; return a row."""
    import keras

    named, drawn = falls(harness.of_keras(preset), histories)
    row: dict[str, Any] = {"preset": name, "backend": keras.backend.backend(), "users": len(named)}
    for what, hits in {
        "named lowers": named > 0,
        "random lowers": drawn > 0,
        "named lowers more": named > drawn,
    }.items():
        row[what], row[f"{what}, interval"] = round(float(hits.mean()), 4), wilson(int(hits.sum()), len(hits))
    return row


def main() -> None:
    """Measure what is not there yet, print, record."""
    from attention_zoo import data
    from attention_zoo.presets import shelf
    from attention_zoo.presets.card import Card

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+", help="names or folders")
    parser.add_argument("--users", type=int, default=1000, help="drawn from the test split")
    parser.add_argument("--data", default=DATA, help=f"a set of histories by name, or {SYNTHETIC}")
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    options = parser.parse_args()
    path = harness.RESULTS / f"{NAME}.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows = told.get(SECTION, {"rows": []})["rows"]
    dataset = data.synthetic_interactions() if options.data == SYNTHETIC else data.load(options.data)
    histories = [one for one in dataset["test"].take(options.users)["history"] if len(one) > 1]
    for preset in options.presets:
        folder = Path(preset) if Path(preset).is_dir() else shelf.find(preset)
        name = Card.from_folder(folder).name
        if options.again or name not in [row["preset"] for row in rows]:
            row = judge(str(folder), name, histories)
            rows = [one for one in rows if one["preset"] != name] + [row]
            harness.record(NAME, SECTION, rows)
    print(harness.table(rows))


if __name__ == "__main__":
    main()
