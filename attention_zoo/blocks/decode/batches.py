"""Many sources at once: batches of like length and of few shapes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from attention_zoo import search
from attention_zoo.checks import whole_number

# Tokens; each shape is compiled by itself on some backends.
MULTIPLE = 8


def decode(
    generator: Any,
    rows: Sequence[Any],
    *,
    batch_size: int = 32,
    numbers: Sequence[int] | None = None,
    arrays: Callable[[list[Any]], dict[str, np.ndarray]] | None = None,
) -> dict[str, np.ndarray]:
    """Run a generator over sources of any lengths.

    Sources of like length are run together. Lengths are rounded up to a multiple of 8 and the number of rows to a power
    of two, so that few shapes are compiled; what is added changes nothing.

    Args:
        generator: a `Generator`.
        rows: ids of each source, without padding; may be empty. Or what `arrays` reads, of which `len` tells the size.
        batch_size: sources run at once, at least 1.
        numbers: number of each source, from which its noise is drawn when sampling; None counts from 0.
        arrays: makes the generator's inputs of some rows; None pads their ids.

    Returns:
        what the generator gives, in the order of `rows`: "token_ids" [sources, nbest, max_length], "scores", "sums",
        "lengths" [sources, nbest].

    Raises:
        ZooValueError: if `batch_size` is below 1.
    """
    settings = generator.decoding
    numbers = np.arange(len(rows)) if numbers is None else np.asarray(numbers)
    result = _room(settings, len(rows))

    def inputs(chosen: list[int]) -> dict[str, np.ndarray]:
        drawn = {"noise": search.noise(settings, numbers[chosen])} if settings.sample else {}
        few = [rows[number] for number in chosen]
        return {**({"source_ids": _padded(few, settings.pad_id)} if arrays is None else arrays(few)), **drawn}

    for chosen, filled in in_batches([len(row) for row in rows], inputs, batch_size):
        for name, values in generator.predict_on_batch(filled).items():
            result[name][chosen] = values[: len(chosen)]
    return result


def in_batches(
    sizes: Sequence[int], inputs: Callable[[list[int]], dict[str, np.ndarray]], batch_size: int
) -> Iterator[tuple[list[int], dict[str, np.ndarray]]]:
    """Yield batches of what is of like size; their number of rows is rounded up to a power of two.

    Args:
        sizes: of each.
        inputs: makes the arrays [rows, ...] of some, by number.
        batch_size: rows of a batch at most, at least 1.

    Yields:
        the numbers of the first rows, and the arrays; further rows repeat the first one.

    Raises:
        ZooValueError: if `batch_size` is below 1.
    """
    whole_number("batch_size", batch_size)
    order = sorted(range(len(sizes)), key=lambda number: sizes[number])
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        size = min(1 << (len(chosen) - 1).bit_length(), batch_size)
        made = inputs(chosen)
        yield (
            chosen,
            {name: np.concatenate([part, part[:1].repeat(size - len(chosen), 0)]) for name, part in made.items()},
        )


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
