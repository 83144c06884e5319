"""Whatever a user trains or judges with, as texts and labels; and these as rows of numbers."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from attention_zoo import data as zoo_data
from attention_zoo.errors import ZooTypeError, ZooValueError, nearest
from attention_zoo.text import TextPreprocessor
from attention_zoo.text.strings import as_texts

CHUNK = 1024  # texts padded together while they are encoded


@dataclass(frozen=True)
class Examples:
    """Texts with their labels.

    Args:
        texts: strings.
        labels: one label a text, or a tuple of labels where `multi_label`.
        names: every label, in the order of a new model's logits.
        multi_label: whether a text may have several labels, or none.
        source: the Dataset that they come from, or None.
    """

    texts: list[str]
    labels: list[Any]
    names: tuple[str, ...]
    multi_label: bool
    source: Any = None


def read_examples(data: Any, split: str = "train") -> Examples | None:
    """Read texts and labels out of what the user gave.

    Args:
        data: a Dataset or Split, the path of a table (.csv .tsv .jsonl), or (texts, labels).
        split: which split of a Dataset.

    Returns:
        The examples; None where `data` holds no texts and is for Keras to read.

    Raises:
        ZooValueError, ZooTypeError, ZooFileError: if texts or labels cannot work; says which.
    """
    if isinstance(data, str | os.PathLike):
        data = zoo_data.read_table(data)
    if isinstance(data, zoo_data.Dataset):
        if split not in data.splits and len(data.splits) == 1:
            split = next(iter(data.splits))
        rows = data[split]
        return _examples(rows["text"], rows["label"], data.labels, data)
    if isinstance(data, zoo_data.Split):
        return _examples(data["text"], data["label"])
    if _is_pair_of_texts(data):
        return _examples(*data)
    if isinstance(data, keras.utils.PyDataset) or _is_pair_of_arrays(data):
        return None
    if hasattr(data, "__iter__") and not isinstance(data, tuple | list | dict | bytes):
        return None
    raise ZooTypeError(
        "data must be a Dataset, (texts, labels), the path of a table, or what keras.Model.fit takes, got "
        f"{type(data).__name__} {data!r:.60}"
    )


def has_split(data: Any, split: str) -> bool:
    """Tell whether `data` is a Dataset with this split."""
    return isinstance(data, zoo_data.Dataset) and split in data.splits


def _is_pair_of_texts(data: Any) -> bool:
    """Tell (texts, labels) from (token ids, targets)."""
    if not isinstance(data, tuple | list) or len(data) != 2 or isinstance(data[0], str | bytes):
        return False
    texts = data[0]
    if isinstance(texts, np.ndarray):
        return texts.dtype.kind in "OUS"
    return isinstance(texts, Sequence) or hasattr(texts, "to_list")


def _is_pair_of_arrays(data: Any) -> bool:
    """Tell (token ids, targets) or (token ids, targets, weights) from anything else."""
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        return False
    return all(len(getattr(part, "shape", ())) > 0 for part in data)


def _examples(texts: Any, labels: Any, names: Sequence[str] = (), source: Any = None) -> Examples:
    texts = as_texts(texts)
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ZooTypeError(f"labels must be a list with one entry a text, got {labels!r:.60}")
    labels = list(labels)
    if len(labels) != len(texts):
        raise ZooValueError(f"labels must be one entry a text, got {len(labels)} for {len(texts)} texts")
    several = [isinstance(label, list | tuple | set | frozenset) for label in labels]
    if any(several) and not all(several):
        row = several.index(not several[0])
        raise ZooTypeError(f"labels must all be names or all be lists of names, got {labels[row]!r} in row {row}")
    read = _many if several[0] else _one
    labels = [read(label, row) for row, label in enumerate(labels)]
    found = {name for label in labels for name in (label if several[0] else (label,))}
    return Examples(texts, labels, tuple(names) or tuple(sorted(found)), several[0], source)


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
        examples: texts with labels.
        labels: the model's.
        multi_label: whether the model gives any number of labels.

    Raises:
        ZooTypeError: if there is one label a text where there should be lists, or the other way round.
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
    """Return label numbers int32 [texts], or 0 and 1 float32 [texts, labels] where there may be several.

    Args:
        examples: texts with labels that `check_labels` has passed.
        labels: the model's, in the order of its logits.
    """
    number = {label: index for index, label in enumerate(labels)}
    if not examples.multi_label:
        return np.array([number[label] for label in examples.labels], np.int32)
    found = np.zeros((len(examples.texts), len(labels)), np.float32)
    for row, names in enumerate(examples.labels):
        found[row, [number[name] for name in names]] = 1.0
    return found


def rows(preprocessor: TextPreprocessor, texts: Sequence[str]) -> list[np.ndarray]:
    """Return the token ids of each text without padding.

    Args:
        preprocessor: of the model.
        texts: strings.

    Returns:
        int32 [tokens] each, or [sentences, tokens] (each sentence padded to the longest of its text).
    """
    found: list[np.ndarray] = []
    for start in range(0, len(texts), CHUNK):
        found += [_trimmed(row) for row in preprocessor(texts[start : start + CHUNK])["token_ids"]]
    return found


def _trimmed(row: np.ndarray) -> np.ndarray:
    used = [
        np.flatnonzero((row != 0).any(axis=tuple(a for a in range(row.ndim) if a != axis))) for axis in range(row.ndim)
    ]
    return row[tuple(slice(int(places[-1]) + 1) for places in used)]
