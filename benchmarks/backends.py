"""Measure how far a preset's answers differ between backends, and write it into its card.

    python benchmarks/backends.py clinc150_intent goemotions_emotion [--write]

All texts of the bundled sample are classified on each backend, in a process of its own. Prints the largest difference
of any score of any label (probability, 0..1) between any two backends, and whether all give the same labels; writes
`benchmarks/results/backends.json`, and with `--write` the card.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
import numpy as np

BACKENDS = ("tensorflow", "jax", "torch")


def sample_texts(name: str) -> list[str]:
    """Return all texts of the bundled sample of a data set."""
    from attention_zoo import data

    return [text for split in data.load(name, sample=True).splits.values() for text in split["text"]]


def answers(folder: str, texts: str, result: str) -> None:
    """Classify texts on the backend of this process; keep scores [texts, labels], which labels are given, and time."""
    import time

    from attention_zoo import load

    asked = json.loads(Path(texts).read_text(encoding="utf-8"))
    task = load(folder)
    task.predict(asked[:1])
    start = time.perf_counter()
    found = task.predict(asked, all_scores=True)
    seconds = time.perf_counter() - start
    scores = np.array([[answer.scores[label] for label in task.labels] for answer in found])
    outside = np.array([answer.out_of_scope or 0.0 for answer in found])
    given = np.array([[label in answer.labels for label in task.labels] for answer in found])
    np.savez(result, scores=np.c_[scores, outside], given=given, seconds=seconds)


def on_backend(backend: str, folder: Path, texts: Path, work: Path) -> dict[str, np.ndarray]:
    """Run `answers` in a process on one backend."""
    result = work / f"{backend}.npz"
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--answers", str(folder), str(texts), str(result)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{backend} failed:\n{done.stderr[-2000:]}")
    with np.load(result) as archive:
        return dict(archive)


def compare(name: str, write: bool) -> dict:
    """Compare the backends on one preset; write the difference into its card where asked to."""
    from attention_zoo.presets import shelf
    from attention_zoo.presets.card import Card

    folder = shelf.find(name)
    card = Card.from_folder(folder)
    card.verify(folder)
    asked = sample_texts(card.data.split(" ")[0].rstrip(","))
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "texts.json").write_text(json.dumps(asked), encoding="utf-8")
        found = {backend: on_backend(backend, folder, work / "texts.json", work) for backend in BACKENDS}
    scores = np.stack([part["scores"] for part in found.values()])
    difference = float(np.ptp(scores, axis=0).max())
    other = np.stack([part["given"] for part in found.values()])
    if write:
        dataclasses.replace(card, backend_difference=difference).write(folder)
    return {
        "preset": card.name,
        "texts": len(asked),
        "largest difference": difference,
        "texts with other labels": int((other != other[0]).any(axis=(0, 2)).sum()),
        **{f"{backend} ms a text": 1000 * float(part["seconds"]) / len(asked) for backend, part in found.items()},
    }


def main() -> None:
    """Compare, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=["clinc150_intent", "goemotions_emotion"])
    parser.add_argument("--write", action="store_true", help="put the difference into the preset's card")
    parser.add_argument("--answers", nargs=3, metavar=("FOLDER", "TEXTS", "RESULT"), help="what a child process does")
    options = parser.parse_args()
    if options.answers:
        answers(*options.answers)
        return
    rows = [compare(name, options.write) for name in options.presets]
    print(harness.table(rows))
    harness.record("backends", "presets", rows)


if __name__ == "__main__":
    main()
