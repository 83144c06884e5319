"""Whatever a user trains or judges with, as texts of two languages side by side."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attention_zoo import data as zoo_data
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.models.translator.config import TranslatorConfig
from attention_zoo.text.strings import as_texts


@dataclass(frozen=True)
class Pairs:
    """Texts and their translations.

    Args:
        sources: what is read.
        targets: what is to be written, one for each.
        origin: the Dataset that they come from, or None.
    """

    sources: list[str]
    targets: list[str]
    origin: Any = None


def read_pairs(data: Any, config: TranslatorConfig, split: str = "train") -> Pairs:
    """Read pairs of texts out of what the user gave.

    Args:
        data: a Dataset or Split with columns of the config's languages (or "source" and "target"), (sources, targets),
            or the path of a table with two columns.
        config: names the two columns.
        split: which split of a Dataset.

    Raises:
        ZooValueError, ZooTypeError, ZooFileError: if the texts cannot work; says which.
    """
    if isinstance(data, str | os.PathLike):
        data = zoo_data.read_parallel(data)
    if isinstance(data, zoo_data.Dataset):
        return _of_split(data.part(split), config, data)
    if isinstance(data, zoo_data.Split):
        return _of_split(data, config, None)
    if isinstance(data, tuple | list) and len(data) == 2 and not any(isinstance(part, str) for part in data):
        return _checked(*data, None)
    raise ZooTypeError(
        "data must be a Dataset, (sources, targets), or the path of a table with two columns, got "
        f"{type(data).__name__} {data!r:.60}"
    )


def _of_split(rows: zoo_data.Split, config: TranslatorConfig, origin: Any) -> Pairs:
    for names in ((config.source, config.target), ("source", "target")):
        if set(names) <= set(rows.columns):
            return _checked(*(rows[name] for name in names), origin)
    raise ZooValueError(
        f"data must have the columns {config.source!r} and {config.target!r}, got {', '.join(map(repr, rows.columns))}"
    )


def _checked(sources: Sequence, targets: Sequence, origin: Any) -> Pairs:
    sources, targets = as_texts(sources, blank=True), as_texts(targets, blank=True)
    if len(sources) != len(targets):
        raise ZooValueError(
            f"sources and targets must be as many, got {len(sources):,} sources and {len(targets):,} targets"
        )
    return Pairs(sources, targets, origin)
