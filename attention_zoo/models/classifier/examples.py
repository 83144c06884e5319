"""Whatever a user trains or judges with, as raw inputs and labels."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from attention_zoo import data as zoo_data
from attention_zoo.errors import ZooTypeError, ZooValueError, nearest


@dataclass(frozen=True)
class Raw:
    """What a family reads.

    Args:
        noun: what one input is called: the column of a data set that holds it, and the word of sentences ("text").
        items: checks what a user gave as inputs, one or many, and returns them as a sequence.
        table: reads the data set that lies at a path of the user's.
        given: tells inputs of a user from arrays that the model itself reads.
        table_words: what `table` reads, for sentences.
        whole: True where an input is not in one column but in several, of which `items` takes what it needs.
    """

    noun: str
    items: Callable[[Any], Sequence]
    table: Callable[[Any], zoo_data.Dataset]
    given: Callable[[Any], bool]
    table_words: str = "the path of a table"
    whole: bool = False


@dataclass(frozen=True)
class Examples:
    """Raw inputs with their labels.

    Args:
        inputs: what the family reads.
        labels: one label an input, or a tuple of labels where `multi_label`.
        names: every label, in the order of a new model's logits.
        multi_label: whether an input may have several labels, or none.
        source: the Dataset that they come from, or None.
    """

    inputs: Sequence
    labels: list[Any]
    names: tuple[str, ...]
    multi_label: bool
    source: Any = None


def read_examples(data: Any, raw: Raw, split: str = "train") -> Examples | None:
    """Read raw inputs and labels out of what the user gave.

    Args:
        data: a Dataset or Split, a path, or (inputs, labels).
        raw: what the family reads.
        split: which split of a Dataset.

    Returns:
        The examples; None where `data` holds no raw inputs and is for Keras to read.

    Raises:
        ZooValueError, ZooTypeError, ZooFileError: if inputs or labels cannot work; says which.
    """
    if isinstance(data, str | os.PathLike):
        data = raw.table(data)
    if isinstance(data, zoo_data.Dataset):
        rows = data.part(split)
        return _examples(raw, _column(rows, raw, data.name), rows["label"], data.labels, data)
    if isinstance(data, zoo_data.Split):
        return _examples(raw, _column(data, raw, "the split"), data["label"])
    if _is_pair_of_raw(data, raw):
        return _examples(raw, *data)
    if isinstance(data, keras.utils.PyDataset) or _is_pair_of_arrays(data):
        return None
    if hasattr(data, "__iter__") and not isinstance(data, tuple | list | dict | bytes):
        return None
    raise ZooTypeError(
        f"data must be a Dataset, ({raw.noun}s, labels), {raw.table_words}, or what keras.Model.fit takes, got "
        f"{type(data).__name__} {data!r:.60}"
    )


def _column(rows: zoo_data.Split, raw: Raw, name: str) -> Any:
    if raw.whole:
        return rows
    if raw.noun not in rows.columns:
        raise ZooValueError(f"{name} must have a column {raw.noun!r}, got only {', '.join(map(repr, rows.columns))}")
    return rows[raw.noun]


def _is_pair_of_raw(data: Any, raw: Raw) -> bool:
    """Tell (inputs, labels) from (arrays of the model, targets)."""
    if not isinstance(data, tuple | list) or len(data) != 2 or isinstance(data[0], str | bytes):
        return False
    return raw.given(data[0])


def _is_pair_of_arrays(data: Any) -> bool:
    """Tell (arrays, targets) or (arrays, targets, weights) from anything else."""
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        return False
    return all(len(getattr(part, "shape", ())) > 0 for part in data)


def _examples(raw: Raw, inputs: Any, labels: Any, names: Sequence[str] = (), source: Any = None) -> Examples:
    inputs = raw.items(inputs)
    labels, several = as_labels(labels, len(inputs), raw.noun)
    found = {name for label in labels for name in (label if several else (label,))}
    return Examples(inputs, labels, tuple(names) or tuple(sorted(found)), several, source)


def as_labels(labels: Any, count: int, noun: str) -> tuple[list[Any], bool]:
    """Check labels, and bring numbers to names.

    Args:
        labels: one for each input, or a list of them for each.
        count: how many inputs there are.
        noun: what an input is called.

    Returns:
        A name for each input, or a tuple of names; and whether it is tuples.

    Raises:
        ZooTypeError: if it is no list, or something in it is no label.
        ZooValueError: if there is not one entry for each input.
    """
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ZooTypeError(f"labels must be a list with one entry for each {noun}, got {labels!r:.60}")
    labels = list(labels)
    if len(labels) != count:
        raise ZooValueError(f"labels must be one entry for each {noun}, got {len(labels)} for {count} {noun}s")
    several = [isinstance(label, list | tuple | set | frozenset) for label in labels]
    if any(several) and not all(several):
        row = several.index(not several[0])
        raise ZooTypeError(f"labels must all be names or all be lists of names, got {labels[row]!r} in row {row}")
    is_many = bool(several) and several[0]
    read = _many if is_many else _one
    return [read(label, row) for row, label in enumerate(labels)], is_many


def _one(label: Any, row: int) -> str:
    if isinstance(label, str) and label.strip():
        return label
    if isinstance(label, int | np.integer | np.bool_):
        return str(label)
    raise ZooTypeError(f"labels must be names, got {label!r} in row {row}")


def _many(labels: Any, row: int) -> tuple[str, ...]:
    return tuple(sorted(_one(label, row) for label in labels))


def found_labels(examples: Examples) -> set[str]:
    """Return the labels that occur.

    Args:
        examples: of a training.

    Raises:
        ZooValueError: if there are fewer than two, and no more are known: nothing could be learned.
    """
    found = {name for label in examples.labels for name in (label if examples.multi_label else (label,))}
    if len(found) < 2 and len(examples.names) < 2:
        held = f"only {next(iter(found))!r}" if found else "none"
        raise ZooValueError(f"labels must be at least two different ones, got {held}")
    return found


def check_labels(examples: Examples, labels: Sequence[str], multi_label: bool) -> None:
    """Check that a model can be trained or judged with the labels.

    Args:
        examples: inputs with labels.
        labels: the model's.
        multi_label: whether the model gives any number of labels.

    Raises:
        ZooTypeError: if there is one label an input where there should be lists, or the other way round.
        ZooValueError: if a label is unknown to the model; names its row and the nearest.
    """
    if examples.multi_label != multi_label:
        kind = "lists of names" if multi_label else "names"
        raise ZooTypeError(f"labels must be {kind}, as the model has been trained, got {examples.labels[0]!r}")
    known = set(labels)
    for row, label in enumerate(examples.labels):
        for name in label if multi_label else (label,):
            if name not in known:
                close = ", ".join(repr(other) for other in nearest(name, labels))
                raise ZooValueError(f"label {name!r} (row {row}) is unknown to this model; the nearest are {close}")


def targets(examples: Examples, labels: Sequence[str]) -> np.ndarray:
    """Return label numbers int32 [examples], or 0 and 1 float32 [examples, labels] where there may be several.

    Args:
        examples: inputs with labels that `check_labels` has passed.
        labels: the model's, in the order of its logits.
    """
    number = {label: index for index, label in enumerate(labels)}
    if not examples.multi_label:
        return np.array([number[label] for label in examples.labels], np.int32)
    found = np.zeros((len(examples.inputs), len(labels)), np.float32)
    for row, names in enumerate(examples.labels):
        found[row, [number[name] for name in names]] = 1.0
    return found
