"""Recommenders on a data set: what needs no network, what each run reached, and how a preset answers in each way.

    python benchmarks/recommenders.py                                   # baselines, then the table of all that is there
    python benchmarks/recommenders.py runs/sasrec-0 runs/sasrec-1 ...   # and runs of recipes/recommender.py
    python benchmarks/recommenders.py --preset NAME [--users 2000]      # each backend, ONNX, SavedModel: lists and time

All items of the catalogue are ranked, those of the history left out; no negatives are drawn. Baselines learn from the
split "train", as networks do, and see the whole history that they are asked about. A preset's lists of 10 are compared
with those of its first backend: "same" is the share of identical lists. Writes `benchmarks/results/recommenders.json`;
what is there already is not measured again without `--again`, so that what was stopped goes on.
"""

import argparse
import csv
import dataclasses
import json
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import harness
import numpy as np

NAME, DATA, SYNTHETIC = "recommenders", "amazon_beauty", "synthetic_interactions"
MEASURES = ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "mrr", "coverage@10", "popularity_bias@10")
SHOWN = ("recall@10", "ndcg@10")
# Test of amazon_beauty, full ranking: published numbers as remembered, and a plain network measured before this one.
REFERENCES = {
    "SASRec, published (from memory)": (0.0605, 0.0318),
    "TIGER, published (from memory)": (0.0648, 0.0384),
    "plain SASRec (width 64, 2 blocks, softmax over all), measured before": (0.0772, 0.0451),
}
K, AT_ONCE, ALONE = 10, 256, 200  # items of a list; histories of a batch; histories answered one by one


def sections() -> dict[str, list[dict]]:
    """Return the rows that are there, by section."""
    path = harness.RESULTS / f"{NAME}.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {section: part["rows"] for section, part in told.items()}


def baselines(name: str, again: bool) -> None:
    """Judge what needs no network on both splits, one by one."""
    from attention_zoo import data
    from attention_zoo.recsys import Evaluation, ItemIndex, ItemKNN, Markov, Popularity

    rows = sections().get("baselines", [])
    kinds = {"popularity": Popularity, "item-kNN": ItemKNN, "Markov": Markov}
    there = {(row["data"], row["of"]) for row in rows}
    todo = [kind for kind in kinds if again or (name, kind) not in there]
    if not todo:
        return
    dataset = data.synthetic_interactions() if name == SYNTHETIC else data.load(name)
    index = ItemIndex.learn(dataset["train"]["history"], dataset["items"]["item"])
    learned, _ = index.numbers(dataset["train"]["history"])
    for kind in todo:
        model = kinds[kind].learn(learned, len(index))
        row: dict[str, Any] = {"data": name, "of": kind}
        for split in ("val", "test"):
            histories, _ = index.numbers(dataset[split]["history"])
            targets, judged = index.lookup(list(dataset[split]["target"])), Evaluation(index.counts)
            for first in range(0, len(histories), AT_ONCE):
                part = histories[first : first + AT_ONCE]
                judged.add(model.scores(part), targets[first : first + AT_ONCE], part.seen())
            row |= {f"{split} {measure}": round(value, 5) for measure, value in judged.result().items()}
        rows = [one for one in rows if (one["data"], one["of"]) != (name, kind)] + [row]
        harness.record(NAME, "baselines", rows)


def read(folder: Path) -> dict[str, Any]:
    """Return what one run kept: network, seed, command, measures, time and number of its epochs."""
    run = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    card = json.loads((folder / "model" / "card.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "model" / "config.json").read_text(encoding="utf-8"))["network"]
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    row = {"data": card["data"], "network": config["network"], "attention": card["attention"], "seed": run["seed"]}
    row |= {"command": run["command"], "parameters": card["parameters"], "bytes": card["bytes"]}
    row |= {"epochs": len(seconds), "seconds an epoch": round(statistics.median(seconds), 1) if seconds else None}
    for split in ("val", "test"):
        row |= {f"{split} {name}": run[split][name] for name in MEASURES if name in run.get(split, {})}
    return row


def keep_runs(folders: list[str]) -> None:
    """Record runs; those of the same data, network and seed are replaced."""
    keys = ("data", "network", "attention", "seed")
    rows = {tuple(row[key] for key in keys): row for row in sections().get("runs", [])}
    for folder in folders:
        row = read(Path(folder))
        rows[tuple(row[key] for key in keys)] = row
    harness.record(NAME, "runs", [rows[key] for key in sorted(rows, key=str)])


def summed_up(name: str) -> list[dict]:
    """Return the table of the test split: references, baselines, and mean and spread of each network's seeds."""
    told = sections()
    rows = [_row(of, "", *numbers) for of, numbers in REFERENCES.items()] if name == DATA else []
    for one in told.get("baselines", []):
        if one["data"] == name:
            rows.append(_row(one["of"], "", *(one[f"test {measure}"] for measure in SHOWN)))
    groups = defaultdict(list)
    for run in told.get("runs", []):
        if run["data"] == name and all(f"test {measure}" in run for measure in SHOWN):
            groups[run["network"], run["attention"]].append(run)
    for (network, attention), runs in groups.items():
        parts = [spread([run[f"test {measure}"] for run in runs]) for measure in SHOWN]
        rows.append(_row(f"{network} ({attention})", len(runs), *parts))
    return rows


def _row(of: str, seeds: Any, recall: Any, ndcg: Any) -> dict[str, str]:
    parts = [part if isinstance(part, str) else f"{part:.4f}" for part in (recall, ndcg)]
    return {"test": of, "seeds": str(seeds), **dict(zip(SHOWN, parts))}


def spread(values: list[float]) -> str:
    """Write mean and sample standard deviation."""
    mean = f"{statistics.mean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


class Signature:
    """A signature of a SavedModel with the manners of an onnxruntime session."""

    def __init__(self, signature: Any, constant: Any):
        self.signature, self.constant = signature, constant

    def get_inputs(self) -> list[Any]:
        """Return the inputs, each with its name."""
        return [SimpleNamespace(name=name) for name in self.signature.structured_input_signature[1]]

    def get_outputs(self) -> list[Any]:
        """Return the outputs, each with its name."""
        return [SimpleNamespace(name=name) for name in self.signature.structured_outputs]

    def run(self, outputs: list[str], arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Run on arrays."""
        found = self.signature(**{name: self.constant(array) for name, array in arrays.items()})
        return [found[name].numpy() for name in outputs]


def of_savedmodel(folder: str) -> Any:
    """Load a bundle for TensorFlow, with the runtime's runner around it."""
    import tensorflow as tf

    from attention_zoo.runtime import RecommenderRunner, preprocessor_class

    description = json.loads((Path(folder) / "bundle.json").read_text(encoding="utf-8"))
    model = tf.saved_model.load(str(Path(folder) / "savedmodel"))
    sessions = {name: Signature(model.signatures[name], tf.constant) for name in description["graphs"]}
    preprocessor = preprocessor_class("recommender").load(Path(folder) / "preprocessor")
    runner = RecommenderRunner(description, preprocessor, sessions)
    runner.kept = model  # signatures are no longer there when their model is gone
    return runner


def answers(way: str, folder: str, asked: str, result: str) -> None:
    """Recommend in this process; keep the lists and the time of each history, in batches and alone."""
    histories = json.loads(Path(asked).read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    task = {"onnx": harness.of_onnx, "savedmodel": of_savedmodel}.get(way, harness.of_keras)(folder)
    task.recommend(histories[: 2 * AT_ONCE], K, batch_size=AT_ONCE)  # compiles, where there is something to
    start = time.perf_counter()
    found = task.recommend(histories, K, batch_size=AT_ONCE)
    together = len(histories) / (time.perf_counter() - start)
    for history in histories[:ALONE]:  # of each length once before it is timed
        task.recommend([history], K)
    start = time.perf_counter()
    for history in histories[:ALONE]:
        task.recommend([history], K)
    alone = len(histories[:ALONE]) / (time.perf_counter() - start)
    lists = [[list(one.items), [each.score for each in one.suggestions]] for one in found]
    Path(result).write_text(json.dumps({"lists": lists, "together": together, "alone": alone}), encoding="utf-8")


def judge(name: str, set_name: str, users: int, again: bool, write: bool = False) -> None:
    """Recommend to users of the test split in all ways; record a row for each, and on the card how far ways differ."""
    from attention_zoo import data
    from attention_zoo.presets import shelf
    from attention_zoo.presets.card import Card

    preset = Path(name) if Path(name).is_dir() else shelf.find(name)
    card = Card.from_folder(preset)
    name = card.name
    there = {(row["preset"], row["way"]) for row in sections().get("presets", [])}
    ways = (*harness.BACKENDS, *harness.EXPORTS)
    if not again and all((name, way) in there for way in ways):
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        dataset = data.synthetic_interactions() if set_name == SYNTHETIC else data.load(set_name)
        histories = list(dataset["test"].take(users)["history"])
        (work / "asked.json").write_text(json.dumps(histories), encoding="utf-8")
        bundle = harness.exported(preset, work)
        first, rows = None, []
        for way in ways:
            folder = bundle if way in harness.EXPORTS else preset
            harness.in_way(__file__, way, folder, work / "asked.json", work / f"{way}.json")
            told = json.loads((work / f"{way}.json").read_text(encoding="utf-8"))
            first = first or told
            row = {"preset": name, "way": way, "users": len(histories), **compared(told["lists"], first["lists"])}
            row |= {"users a second": round(told["together"], 1), "users a second, one by one": round(told["alone"], 1)}
            rows.append(row)
            print(row, flush=True)
    harness.keep(NAME, rows, ("preset", "way"))
    if write:
        dataclasses.replace(card, backend_difference=max(row["apart"] for row in rows)).write(preset)


def compared(lists: list, wanted: list) -> dict[str, float]:
    """Return the share of identical lists, the mean share of common items, and how far scores of the best are apart."""
    same = float(np.mean([one[0] == other[0] for one, other in zip(lists, wanted, strict=True)]))
    common = [len(set(one[0]) & set(other[0])) / max(len(other[0]), 1) for one, other in zip(lists, wanted)]
    apart = [abs(one[1][0] - other[1][0]) for one, other in zip(lists, wanted) if one[1] and other[1]]
    return {"same": same, "common": float(np.mean(common)), "apart": max(apart, default=0.0)}


def main() -> None:
    """Measure what is not there yet, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", help="folders of runs of recipes/recommender.py")
    parser.add_argument("--data", default=DATA, help=f"a set of histories by name, or {SYNTHETIC}")
    parser.add_argument("--preset", nargs="+", default=[], help="names or folders")
    parser.add_argument("--write", action="store_true", help="put the largest difference into the preset's card")
    parser.add_argument("--users", type=int, default=2000, help="whose lists are compared, drawn from the test split")
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--answers", nargs=4, metavar=("WAY", "FOLDER", "ASKED", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answers:
        answers(*options.answers)
        return
    baselines(options.data, options.again)
    if options.runs:
        keep_runs(options.runs)
    for name in options.preset:
        judge(name, options.data, options.users, options.again, options.write)
    rows = summed_up(options.data)
    if rows:
        print(harness.table(rows))


if __name__ == "__main__":
    main()
