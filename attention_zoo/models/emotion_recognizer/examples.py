"""Rows with a label, and perhaps labels of other tasks."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attention_zoo import data as zoo_data
from attention_zoo.data.rows_table import read_multimodal
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.models.classifier import examples as reading
from attention_zoo.models.classifier.examples import Examples, Raw
from attention_zoo.models.emotion_recognizer.config import LABEL
from attention_zoo.multimodal import as_rows
from attention_zoo.multimodal.kinds import MODALITIES, steps_of

Labels = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class TaskExamples(Examples):
    """Raw inputs with labels of several tasks.

    Args:
        others: of each other task, one label for each row.
    """

    others: dict[str, list[str]] = field(default_factory=dict)


def are_rows(inputs: Any) -> bool:
    """Tell rows of a user from the arrays that the network reads."""
    if isinstance(inputs, Mapping):
        return not any(steps_of(name) in inputs for name in MODALITIES)
    return isinstance(inputs, Sequence | zoo_data.Split)


RAW = Raw("row", as_rows, read_multimodal, are_rows, "the path of a table", whole=True)


def narrowed(data: Any, modalities: Sequence[str]) -> Any:
    """Leave out of a Split the columns of modalities that a model does not have; anything else comes back as it is.

    Args:
        data: whatever a user gave.
        modalities: of the model; none are known where this is empty.
    """
    if not isinstance(data, zoo_data.Split) or not modalities:
        return data
    other = set(MODALITIES) - set(modalities)
    return zoo_data.Split({name: data[name] for name in data.columns if name not in other})


def read_tasks(data: Any, split: str, tasks: Sequence[str], modalities: Sequence[str]) -> TaskExamples | None:
    """Read rows and all labels out of what the user gave.

    Args:
        data: a Dataset or Split with a column for each task, the path of a table with such columns, or (rows, labels),
            where labels are {"label": list, task: list}; of one task a list.
        split: which split of a Dataset.
        tasks: names of the tasks beside the labels.
        modalities: of the model; columns of others are left out of data sets. None are known where this is empty.

    Returns:
        The examples; None where `data` holds no rows and is for Keras to read.

    Raises:
        ZooValueError, ZooTypeError, ZooFileError: if rows or labels cannot work; says which.
    """
    if isinstance(data, str | os.PathLike):
        data = read_multimodal(data, tasks=tasks)
    others: Mapping[str, Any] = {}
    if isinstance(data, zoo_data.Dataset):
        rows = data.part(split)
        data = dataclasses.replace(data, splits={split: narrowed(rows, modalities)})
        others = _columns(rows, tasks)
    elif isinstance(data, zoo_data.Split):
        others, data = _columns(data, tasks), narrowed(data, modalities)
    elif isinstance(data, tuple | list) and len(data) == 2 and are_rows(data[0]):
        labels, others = _apart(data[1], tasks)
        data = (data[0], labels)
    found = reading.read_examples(data, RAW, split)
    if found is None:
        return None
    read = {task: _single(task, labels, len(found.inputs)) for task, labels in others.items()}
    return TaskExamples(found.inputs, found.labels, found.names, found.multi_label, found.source, read)


def _columns(rows: zoo_data.Split, tasks: Sequence[str]) -> dict[str, Any]:
    return {task: rows[task] for task in tasks}


def _apart(labels: Any, tasks: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """Return the labels, and those of the other tasks."""
    if not isinstance(labels, Mapping):
        if tasks:
            raise ZooTypeError(
                f"labels must be a dict of lists with {', '.join(map(repr, (LABEL, *tasks)))}, got "
                f"{type(labels).__name__}"
            )
        return labels, {}
    for name in labels:
        if name not in (LABEL, *tasks):
            raise unknown("task", name, (LABEL, *tasks))
    for name in (LABEL, *tasks):
        if name not in labels:
            raise ZooValueError(f"labels must have {name!r}, got only {', '.join(map(repr, labels))}")
    return labels[LABEL], {task: labels[task] for task in tasks}


def _single(task: str, labels: Any, count: int) -> list[str]:
    read, several = reading.as_labels(labels, count, RAW.noun)
    if several:
        raise ZooTypeError(f"labels of task {task!r} must be names, got {labels[0]!r}")
    return read


def known_labels(tasks: Labels, train: TaskExamples) -> Labels:
    """Return the labels of each task, those of the training data where none are known.

    Raises:
        ZooValueError: if there are fewer than two.
    """
    found = {}
    for task, labels in tasks.items():
        found[task] = labels or tuple(sorted(set(train.others[task])))
        if len(found[task]) < 2:
            raise ZooValueError(f"labels of task {task!r} must be at least two different ones, got {found[task]}")
    return found


def check_tasks(part: TaskExamples, tasks: Labels) -> None:
    """Check that a model knows the labels of each task.

    Raises:
        ZooValueError: if it does not know one; names the task, the row and the nearest.
    """
    for task, labels in tasks.items():
        for row, label in enumerate(part.others[task]):
            if label not in labels:
                raise unknown(f"label of task {task!r} in row {row}", label, labels)


def task_targets(part: TaskExamples, tasks: Labels) -> dict[str, np.ndarray]:
    """Return the label numbers of each task, int32 [rows]."""
    return {
        task: np.array([labels.index(label) for label in part.others[task]], np.int32) for task, labels in tasks.items()
    }
