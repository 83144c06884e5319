"""Sum up the trainings of the text classifier presets: what each seed reached, mean and spread.

    python benchmarks/text_classifier.py runs/clinc150-0 runs/clinc150-1 runs/clinc150-2 runs/goemotions-0 ...

Reads what `recipes/text_classifier.py` wrote into its run folders, prints a table, and writes
`benchmarks/results/text_classifier.json`. Sets that are not named keep the numbers they have there.
"""

import csv
import json
import statistics
import sys
from pathlib import Path

import harness

# What is reported, and the bar that models.md sets for the test split.
MEASURES = {
    "clinc150": {"accuracy": 0.940, "out_of_scope_auroc": None, "macro_f1": None, "calibration_error": None},
    "goemotions": {"macro_f1": 0.48, "micro_f1": None, "macro_roc_auc": None},
}


def read(folder: Path) -> dict:
    """Return what one run kept: data, seed, command, measures, and the seconds of its own epochs."""
    run = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    card = json.loads((folder / "model" / "card.json").read_text(encoding="utf-8"))
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        epochs = [float(row["seconds"]) for row in csv.DictReader(file)]
    run["data"], run["parameters"], run["bytes"] = card["data"], card["parameters"], card["bytes"]
    run["epochs"], run["seconds of its epochs"] = len(epochs), round(sum(epochs), 1)
    run["teachers"] = "those of another run" if "--taught-by" in run["command"] else "its own, where it has any"
    return run


def summed_up(runs: list[dict], bars: dict[str, float | None]) -> dict:
    """Return mean, spread (sample standard deviation) and the seeds' numbers of each measure, by split."""
    found: dict = {"runs": runs, "summary": {}}
    for split in ("val", "test"):
        for measure, bar in bars.items():
            values = [run[split][measure] for run in runs if split in run]
            if not values:
                continue
            found["summary"][f"{split} {measure}"] = {
                "mean": round(statistics.mean(values), 4),
                "spread": round(statistics.stdev(values), 4) if len(values) > 1 else None,
                "seeds": [round(value, 4) for value in values],
                "bar": bar if split == "test" else None,
            }
    return found


def main(folders: list[str]) -> None:
    """Read, print, record."""
    runs = sorted((read(Path(folder)) for folder in folders), key=lambda run: (run["data"], run["seed"]))
    path = harness.RESULTS / "text_classifier.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows = []
    for name in dict.fromkeys(run["data"] for run in runs):
        known[name] = summed_up([run for run in runs if run["data"] == name], MEASURES[name])
        rows += [{"data": name, "measure": measure, **row} for measure, row in known[name]["summary"].items()]
    print(harness.table([{key: str(value) for key, value in row.items()} for row in rows]))
    known["machine"] = harness.machine()
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
