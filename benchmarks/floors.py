"""What a linear model reaches on the text data sets: the floor under every network of this zoo.

    python benchmarks/floors.py                     # all sets
    python benchmarks/floors.py clinc150 sst2       # some

TF-IDF of words and word pairs (and of characters where it says so), then a linear classifier of scikit-learn. Nothing
is tuned on a test split; the thresholds of goemotions are chosen on its validation split. Prints a table and writes
`benchmarks/results/floors.json`; sets that are left out keep the numbers they have there.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

from attention_zoo import data

RESULTS = Path(__file__).parent / "results" / "floors.json"
SMALL_ROWS = 10_000
THRESHOLDS = np.arange(0.05, 0.96, 0.05)


def words() -> TfidfVectorizer:
    """Weigh words and pairs of words, apostrophes within words and single letters included."""
    return TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+(?:['’]\w+)*", sublinear_tf=True)


def words_and_characters():
    """Weigh words and pairs, and 2 to 4 characters within words."""
    return make_union(words(), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True))


def clinc150(dataset: data.Dataset) -> dict[str, dict[str, float]]:
    """Accuracy on the 150 intents; AUROC of the largest score, in scope against out of scope."""
    models = {
        "words 1-2, logistic regression": make_pipeline(words(), LogisticRegression(C=10.0)),
        "words 1-2, linear SVM": make_pipeline(words(), LinearSVC()),
        "words 1-2 and characters 2-4, linear SVM": make_pipeline(words_and_characters(), LinearSVC()),
    }
    test, outside = dataset["test"], dataset["oos_test"]
    is_outside = np.repeat([0, 1], [len(test), len(outside)])
    found = {}
    for name, model in models.items():
        model.fit(dataset["train"]["text"], dataset["train"]["label"])
        largest = model.decision_function(test["text"] + outside["text"]).max(axis=1)
        found[name] = {
            "accuracy": accuracy_score(test["label"], model.predict(test["text"])),
            "out-of-scope AUROC": roc_auc_score(is_outside, -largest),
        }
    return found


def goemotions(dataset: data.Dataset) -> dict[str, dict[str, float]]:
    """Macro F1 of one balanced logistic regression a label, each with its own threshold."""
    binarizer = MultiLabelBinarizer(classes=dataset.labels)
    truth = {split: binarizer.fit_transform(dataset[split]["label"]) for split in ("train", "val", "test")}
    found = {}
    for name, features in (("words 1-2", words()), ("words 1-2 and characters 2-4", words_and_characters())):
        separate = OneVsRestClassifier(LogisticRegression(class_weight="balanced", solver="liblinear"))
        model = make_pipeline(features, separate).fit(dataset["train"]["text"], truth["train"])
        scores = {split: model.predict_proba(dataset[split]["text"]) for split in ("val", "test")}
        thresholds = [
            max(THRESHOLDS, key=lambda limit: f1_score(known, score >= limit, zero_division=0))
            for known, score in zip(truth["val"].T, scores["val"].T)
        ]
        macro = f1_score(truth["test"], scores["test"] >= thresholds, average="macro")
        found[f"{name}, logistic regression, one vs rest, balanced"] = {"macro F1": macro}
    return found


def accuracy(dataset: data.Dataset) -> dict[str, dict[str, float]]:
    """Accuracy of a linear SVM; with characters too where the set is small."""
    models = {"words 1-2, linear SVM": make_pipeline(words(), LinearSVC())}
    if len(dataset["train"]) < SMALL_ROWS:
        models["words 1-2 and characters 2-4, linear SVM"] = make_pipeline(words_and_characters(), LinearSVC())
    test, found = dataset["test"], {}
    for name, model in models.items():
        model.fit(dataset["train"]["text"], dataset["train"]["label"])
        found[name] = {"accuracy": accuracy_score(test["label"], model.predict(test["text"]))}
    return found


FLOORS: dict[str, Callable] = {
    "clinc150": clinc150,
    "goemotions": goemotions,
    "imdb": accuracy,
    "sst2": accuracy,
    "reuters_r8": accuracy,
}


def main(names: list[str]) -> None:
    """Measure the named sets (all where none is named), print and write the numbers."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results = kept.get("results", {})
    for name in names or FLOORS:
        began = time.perf_counter()
        numbers = FLOORS[name](data.load(name))
        results[name] = {"seconds": round(time.perf_counter() - began, 1), "test": rounded(numbers)}
        print_table({name: results[name]})
    machine = {
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
    }
    content = {"machine": machine, "results": {name: results[name] for name in FLOORS if name in results}}
    temporary = RESULTS.with_suffix(".new")
    RESULTS.parent.mkdir(exist_ok=True)
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(temporary, RESULTS)


def rounded(numbers: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Round to four decimals."""
    return {model: {name: round(float(value), 4) for name, value in row.items()} for model, row in numbers.items()}


def print_table(results: dict[str, dict]) -> None:
    """Print one line for each model and measure."""
    table = Table("data", "model", "measure on test", "value", "seconds for the set")
    for name, result in results.items():
        for model, row in result["test"].items():
            for measure, value in row.items():
                table.add_row(name, model, measure, f"{value:.4f}", f"{result['seconds']:.1f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    unknown_names = sorted(set(sys.argv[1:]) - set(FLOORS))
    if unknown_names:
        sys.exit(f"unknown: {', '.join(unknown_names)}; known: {', '.join(FLOORS)}")
    main(sys.argv[1:])
