"""Measure how far a classifier's answers differ between backends and exports, and write it into its card.

    python benchmarks/backends.py clinc150_intent fashion_mnist_hybrid [--write]   # the bundled samples
    python benchmarks/backends.py fashion_mnist_hybrid --split test                # a whole split, with its accuracy

Inputs are classified on each backend, in a process of its own, and by the exported ONNX graph and SavedModel. Prints
the largest difference of any score of any label (probability, 0..1) between any two of them, for how many inputs labels
differ, and for a whole split the accuracy of each; writes `benchmarks/results/backends.json` (a split:
`parity.json`), and with `--write` the card.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import harness
import numpy as np

NAMES = ["clinc150_intent", "goemotions_emotion"]


def read(name: str, split: str | None) -> tuple[list, list | None]:
    """Return raw inputs, and their labels where a whole split is asked for."""
    from attention_zoo import data

    dataset = data.load(name, sample=split is None)
    if split is not None:
        return list(dataset[split][dataset.raw]), dataset[split]["label"]
    return [one for part in dataset.splits.values() for one in part[dataset.raw]], None


def keep(inputs: list, path: Path) -> None:
    """Write raw inputs for other processes."""
    np.savez(path, inputs=np.array(inputs))


def answers(way: str, folder: str, inputs: str, result: str) -> None:
    """Classify in this process; keep scores [inputs, labels], which labels are given, and time."""
    with np.load(inputs) as archive:
        asked = list(archive["inputs"])
    asked = [str(one) for one in asked] if isinstance(asked[0], np.str_) else asked
    task = {"onnx": harness.of_onnx, "savedmodel": of_savedmodel}.get(way, harness.of_keras)(folder)
    task.predict(asked[:1])
    start = time.perf_counter()
    found = task.predict(asked, all_scores=True)
    seconds = time.perf_counter() - start
    scores = np.array([list(answer.scores.values()) for answer in found])
    outside = np.array([answer.out_of_scope or 0.0 for answer in found])
    given = np.array([[label in answer.labels for label in task.labels] for answer in found])
    first = np.array([answer.label or "" for answer in found])
    np.savez(result, scores=np.c_[scores, outside], given=given, first=first, seconds=seconds)


def of_savedmodel(folder: str) -> Any:
    """Load the SavedModel of a bundle, with the runtime's answers around it."""
    import tensorflow as tf

    from attention_zoo.runtime.classifying import ClassifierRunner
    from attention_zoo.runtime.runner import preprocessor_class

    description = json.loads((Path(folder) / "bundle.json").read_text(encoding="utf-8"))
    model = tf.saved_model.load(str(Path(folder) / "savedmodel"))
    answer = model.signatures["serving_default"]

    def run(names: list[str], arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        told = answer(**{name: tf.constant(array) for name, array in arrays.items()})
        return [told[name].numpy() for name in names]

    ends = {kind: [SimpleNamespace(name=one["name"]) for one in description[kind]] for kind in ("inputs", "outputs")}
    session = SimpleNamespace(run=run, get_inputs=lambda: ends["inputs"], get_outputs=lambda: ends["outputs"])
    preprocessor = preprocessor_class(description["family"]).load(Path(folder) / "preprocessor")
    return ClassifierRunner(description, preprocessor, {"model": session})


def compare(name: str, split: str | None, write: bool) -> dict:
    """Compare the ways on one preset; write the difference into its card where asked to."""
    from attention_zoo.presets import shelf
    from attention_zoo.presets.card import Card

    folder = shelf.find(name)
    card = Card.from_folder(folder)
    card.verify(folder)
    asked, truth = read(card.data.split(" ")[0].rstrip(","), split)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        keep(asked, work / "inputs.npz")
        bundle, found = harness.exported(folder, work), {}
        for way in (*harness.BACKENDS, *harness.EXPORTS):
            place, result = folder if way in harness.BACKENDS else bundle, work / f"{way}.npz"
            harness.in_way(__file__, way, place, work / "inputs.npz", result)
            with np.load(result) as archive:
                found[way] = dict(archive)
    scores = np.stack([part["scores"] for part in found.values()])
    difference = float(np.ptp(scores, axis=0).max())
    other = np.stack([part["given"] for part in found.values()])
    if write:
        dataclasses.replace(card, backend_difference=difference).write(folder)
    row = {
        "preset": card.name,
        "inputs": len(asked),
        "largest difference": difference,
        "inputs with other labels": int((other != other[0]).any(axis=(0, 2)).sum()),
    }
    for way, part in found.items():
        row[f"{way} ms an input"] = 1000 * float(part["seconds"]) / len(asked)
    if truth is not None:
        row["split"] = split
        right = {way: part["first"] == np.array(truth) for way, part in found.items()}
        row |= {f"{way} accuracy": float(np.mean(values)) for way, values in right.items()}
    return row


def main() -> None:
    """Compare, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=NAMES)
    parser.add_argument("--split", help="of the whole data set, in place of its bundled sample; one label an input")
    parser.add_argument("--write", action="store_true", help="put the difference into the preset's card")
    parser.add_argument("--answers", nargs=4, metavar=("WAY", "FOLDER", "INPUTS", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answers:
        answers(*options.answers)
        return
    rows = [compare(name, options.split, options.write) for name in options.presets]
    print(harness.table(rows))
    harness.keep("parity" if options.split else "backends", rows, ("preset",))


if __name__ == "__main__":
    main()
