"""Judge a trained classifier on the splits of a data set, and draw what came out."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.answers import out_of_scope_score, sigmoid, softmax
from attention_zoo.data import Dataset
from attention_zoo.models.classifier import examples as reading
from attention_zoo.models.classifier.judging import measures
from attention_zoo.models.classifier.task import Classifier
from attention_zoo.training import metrics
from attention_zoo.visualise import curves

LABELS_DRAWN = 12  # ROC curves in one picture, where there are several labels


def judge_split(task: Classifier, dataset: Dataset, split: str, batch_size: int = 64) -> dict[str, Any]:
    """Measure a classifier on one split, and on its out-of-scope inputs where the data set has some.

    Args:
        task: trained.
        dataset: with the split, and perhaps one called `oos_<split>` of inputs that have none of the labels.
        split: name of the split ("val").
        batch_size: inputs run at once.

    Returns:
        "measures": as of `Classifier.evaluate`, with out_of_scope_auroc where there are such inputs; "logits",
        "wanted": of the split; "outside": logits of the out-of-scope inputs, or None.

    Raises:
        ZooValueError: if a label is unknown to the classifier.
    """
    part = reading.read_examples(dataset, task.raw, split)
    reading.check_labels(part, task.labels, task.config.multi_label)
    wanted = reading.targets(part, task.labels)
    logits, outside = task.logits(part.inputs, batch_size), None
    found = measures(logits, wanted, task.config)
    if f"oos_{split}" in dataset.splits and not task.config.multi_label:
        outside = task.logits(dataset[f"oos_{split}"][task.raw.noun], batch_size)
        scores = [out_of_scope_score(part, task.temperature) for part in (logits, outside)]
        found["out_of_scope_auroc"] = metrics.outlier_auroc(*scores)
    return {"measures": found, "logits": logits, "wanted": wanted, "outside": outside}


def draw(
    task: Classifier, judged: Mapping[str, Any], history: Mapping[str, Sequence[float]], folder: str | os.PathLike
) -> list[Path]:
    """Draw training curves, confusion matrix and ROC into a folder.

    Args:
        task: the classifier.
        judged: what `judge_split` returned.
        history: measures by epoch; none is drawn where it is empty.
        folder: where to put `curves.png`, `confusion.png` (one label an input) and `roc.png`.

    Returns:
        The files written.

    Raises:
        ZooImportError: if matplotlib (extra `plot`) is missing.
        ZooFileError: if they cannot be written.
    """
    folder, written = Path(folder), []
    if history:
        written.append(curves.training_curves(history, folder / "curves.png"))
    logits, wanted = judged["logits"], judged["wanted"]
    if not task.config.multi_label:
        matrix = metrics.confusion_matrix(logits.argmax(axis=1), wanted, len(task.labels))
        written.append(curves.confusion_matrix(matrix, task.labels, folder / "confusion.png"))
    lines = _roc_lines(task, judged)
    if lines:
        curves.roc_curve(lines, folder / "roc.png")
        written.append(folder / "roc.png")
    return written


def _roc_lines(task: Classifier, judged: Mapping[str, Any]) -> dict[str, tuple]:
    """Return out of scope against in scope where it is known, or the labels one against the rest."""
    logits, wanted, temperature = judged["logits"], judged["wanted"], task.temperature
    if judged["outside"] is not None:
        scores = [out_of_scope_score(part, temperature) for part in (logits, judged["outside"])]
        return {"out of scope": (np.repeat([0, 1], [len(part) for part in scores]), np.concatenate(scores))}
    several = task.config.multi_label
    truth = wanted if several else np.eye(len(task.labels))[wanted]
    scores = sigmoid(np.float64(logits)) if several else softmax(np.float64(logits))
    usable = [
        place for place in np.argsort(-truth.sum(axis=0), kind="stable") if 0 < truth[:, place].sum() < len(truth)
    ]
    return {task.labels[place]: (truth[:, place].astype(int), scores[:, place]) for place in usable[:LABELS_DRAWN]}
