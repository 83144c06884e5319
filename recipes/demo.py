"""See it work: load a pretrained model by name, classify sentences, show where it looked, export it, run the export.

    make demo                       # or: python recipes/demo.py

Wants one backend and the extras `export` and `plot`; no network. Writes into `demo_output/`.
"""

import os
import shutil
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
STARTED = time.perf_counter()

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import attention_zoo as az  # noqa: E402
from attention_zoo.cli import screen  # noqa: E402

PRESET, OUTPUT, SENTENCES = "clinc150_intent", Path("demo_output"), 6
ALLOWED = 1e-4  # difference of scores


def sentences() -> list[tuple[str, str]]:
    """Return test sentences of the bundled sample with what they mean; the last one is out of scope."""
    sample = az.data.load("clinc150", sample=True)
    test, outside = sample["test"].take(SENTENCES - 1, seed=1), sample["oos_test"].take(1, seed=0)
    return [*zip(test["text"], test["label"]), *((text, "(out of scope)") for text in outside["text"])]


def show(asked: list[tuple[str, str]], found: list[Any]) -> None:
    """Print a table of the answers."""
    table = Table("sentence", "answer", "score", "out of scope", "truth")
    for (text, truth), answer in zip(asked, found):
        table.add_row(text, answer.label, f"{answer.score:.3f}", f"{answer.out_of_scope:.3f}", truth)
    Console(width=120).print(table)


def largest_difference(found: list[Any], others: list[Any]) -> float:
    """Return the largest difference of any score between two lists of answers."""
    return max(abs(one.scores[label] - two.scores[label]) for one, two in zip(found, others) for label in one.scores)


def main() -> None:
    """Load, predict, explain, export, run without Keras."""
    with screen.native_logs_hidden():
        import keras

        keras.ops.zeros(1)  # the first operation starts the backend
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    task = az.load(PRESET)
    print(f"{task.card.name}: {task.card.description}; {task.card.parameters:,} parameters, {keras.backend.backend()}")
    asked = sentences()
    texts = [text for text, _ in asked]
    found = task.predict(texts, all_scores=True)
    show(asked, found)
    explanation = task.explain(texts[0])
    for suffix in ("png", "html"):
        explanation.save(OUTPUT / f"attention.{suffix}")
    looked = explanation.tokens[int(np.argmax(explanation.weights))].text
    print(f"{texts[0]!r}: looked most at {looked!r}; see {OUTPUT}/attention.png and {OUTPUT}/attention.html")
    print("exporting to SavedModel and ONNX, with attention maps ...", flush=True)
    report = task.export(OUTPUT / "bundle", format="savedmodel,onnx", attention=True)
    for name, difference in report.differences.items():
        print(f"{name}: largest difference {difference:.1e}")
    runner = az.runtime.load(OUTPUT / "bundle")
    difference = largest_difference(found, runner.predict(texts, all_scores=True))
    maps = len(runner.attention(texts[0]))
    print(f"runtime without Keras: largest difference {difference:.1e}; {maps} attention map(s)")
    worst = max(*report.differences.values(), difference)
    print(
        f"largest of all differences: {worst:.1e} (allowed {ALLOWED:g}); {time.perf_counter() - STARTED:.0f} s in all"
    )
    if worst > ALLOWED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
