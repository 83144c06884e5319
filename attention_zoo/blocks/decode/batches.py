"""Many sources at once: batches of like length and of few shapes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attention_zoo import search
from attention_zoo.checks import whole_number

# Tokens; each shape is compiled by itself on some backends.
MULTIPLE = 8


def decode(
    generator: Any, rows: Sequence[Sequence[int]], *, batch_size: int = 32, numbers: Sequence[int] | None = None
) -> dict[str, np.ndarray]:
    """Run a generator over sources of any lengths.

    Sources of like length are run together. Lengths are rounded up to a multiple of 8 and the number of rows to a power
    of two, so that few shapes are compiled; what is added changes nothing.

    Args:
        generator: a `Generator`.
        rows: ids of each source, without padding; may be empty.
        batch_size: sources run at once, at least 1.
        numbers: number of each source, from which its noise is drawn when sampling; None counts from 0.

    Returns:
        what the generator gives, in the order of `rows`: "token_ids" [sources, nbest, max_length], "scores", "sums",
        "lengths" [sources, nbest].

    Raises:
        ZooValueError: if `batch_size` is below 1.
    """
    whole_number("batch_size", batch_size)
    settings = generator.decoding
    numbers = np.arange(len(rows)) if numbers is None else np.asarray(numbers)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    result = _room(settings, len(rows))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        inputs = {"source_ids": _padded([rows[number] for number in chosen], settings.pad_id)}
        if settings.sample:
            inputs["noise"] = search.noise(settings, numbers[chosen])
        size = min(1 << (len(chosen) - 1).bit_length(), batch_size)
        filled = {name: np.concatenate([part, part[:1].repeat(size - len(chosen), 0)]) for name, part in inputs.items()}
        for name, values in generator.predict_on_batch(filled).items():
            result[name][chosen] = values[: len(chosen)]
    return result


def _padded(rows: Sequence[Sequence[int]], pad_id: int) -> np.ndarray:
    """Return rows of ids as one array [rows, length]."""
    longest = max(len(row) for row in rows)
    array = np.full((len(rows), max(-(-longest // MULTIPLE), 1) * MULTIPLE), pad_id, "int32")
    for place, row in zip(array, rows):
        place[: len(row)] = row
    return array


def _room(settings: Any, count: int) -> dict[str, np.ndarray]:
    """Return the arrays that answers are written to."""
    shape = (count, settings.nbest)
    return {
        "token_ids": np.full((*shape, settings.max_length), settings.pad_id, "int32"),
        "scores": np.zeros(shape, "float32"),
        "sums": np.zeros(shape, "float32"),
        "lengths": np.zeros(shape, "int32"),
    }
