"""The best k of very many items, exact: by blocks of items, so that users x items is never held.

Items are known by number: row or column 0 is padding and never given. Equal scores go to the lower number.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError

BLOCK = 65_536  # items scored at a time
SCORES = 1 << 22  # scores held at a time (batch x block), where there are many queries
FIRST = 64  # items of the first block, in times of k; each block is then twice the one before
WIDEST = 4  # candidates of a block that are sorted in with the best so far, in times of k

Found = tuple[np.ndarray, np.ndarray]


class Blocks:
    """A table of items, searched by the inner product with a query, block by block.

    score = query . table[number] + bias[number]

    Args:
        table: float [items + 1, width], by number; may be mapped from a file.
        bias: float [items + 1]; None is 0 for each.
        block: items scored at a time, at least 1.

    Raises:
        ZooValueError: if a shape does not fit, or a number is not finite.

    Cost: of a search time batch x items x width; memory batch x block.
    """

    def __init__(self, table: np.ndarray, bias: np.ndarray | None = None, block: int = BLOCK):
        if table.ndim != 2 or len(table) < 2:
            raise ZooValueError(f"table must be [items + 1, width], got {list(table.shape)}")
        if bias is not None and bias.shape != (len(table),):
            raise ZooValueError(f"bias must be [{len(table):,}], one for each row of the table, got {list(bias.shape)}")
        self.table, self.bias, self.block = table, bias, whole_number("block", block, unit="items")
        for start in range(0, len(table), self.block):
            if not np.isfinite(table[start : start + self.block]).all():
                raise ZooValueError(f"table must be finite; rows {start:,} to {start + self.block:,} are not")
        if bias is not None and not np.isfinite(bias).all():
            raise ZooValueError("bias must be finite, got a number that is not")

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.table) - 1

    def top_k(
        self,
        queries: np.ndarray,
        k: int = 10,
        excluded: Sequence[np.ndarray] | None = None,
        allowed: np.ndarray | None = None,
    ) -> Found:
        """Return the best k items of each query.

        Args:
            queries: float [batch, width], finite.
            k: how many, at most the number of items.
            excluded: for each query the numbers of items that it must not get.
            allowed: numbers of the only items that may be given; None is all.

        Returns:
            numbers int32 [batch, k] and scores float32 [batch, k], best first; 0 and -inf where no item is left.

        Raises:
            ZooValueError: if an argument cannot work.
        """
        queries = _queries(queries, self.table.shape[1])
        check_k(k, self.items)
        numbers = None if allowed is None else as_numbers(allowed, self.items)
        block = max(min(self.block, SCORES // max(len(queries), 1)), 1)
        count = self.items if numbers is None else len(numbers)
        # In a small first block the best so far are found; of later ones few are better, and only those are sorted in.
        parts = _parts(count, min(FIRST * k, block), block)
        return _best(self._scored(queries, numbers, parts), len(queries), k, excluded)

    def _scored(self, queries: np.ndarray, numbers: np.ndarray | None, parts: Iterator[slice]) -> Iterator[Found]:
        """Yield (numbers, scores [batch, numbers]) of each block."""
        for part in parts:
            if numbers is None:
                chosen = slice(part.start + 1, part.stop + 1)
                yield np.arange(chosen.start, chosen.stop), self._scores(queries, chosen)
            else:
                yield numbers[part], self._scores(queries, numbers[part])

    def _scores(self, queries: np.ndarray, part: slice | np.ndarray) -> np.ndarray:
        scores = queries @ np.asarray(self.table[part], np.float32).T
        if self.bias is not None:
            scores += self.bias[part].astype(np.float32)
        return scores


def top_k(
    queries: np.ndarray,
    table: np.ndarray,
    k: int = 10,
    excluded: Sequence[np.ndarray] | None = None,
    allowed: np.ndarray | None = None,
    *,
    bias: np.ndarray | None = None,
    block: int = BLOCK,
) -> Found:
    """Return the best k items of each query, once; see `Blocks`, which is made once for many searches.

    Args:
        queries: float [batch, width].
        table: float [items + 1, width], by number.
        k, excluded, allowed: as for `Blocks.top_k`.
        bias, block: as for `Blocks`.

    Raises:
        ZooValueError: if an argument cannot work.
    """
    return Blocks(table, bias, block).top_k(queries, k, excluded, allowed)


def top_scores(
    scores: np.ndarray,
    k: int = 10,
    excluded: Sequence[np.ndarray] | None = None,
    allowed: np.ndarray | None = None,
) -> Found:
    """Return the best k items of scores that are there already.

    Args:
        scores: float [batch, items + 1], by number; column 0 is not looked at.
        k, excluded, allowed: as for `Blocks.top_k`.

    Returns:
        as `Blocks.top_k`.

    Raises:
        ZooValueError: if an argument cannot work, or a score is NaN.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ZooValueError(f"scores must be [batch, items + 1], got {list(scores.shape)}")
    items = scores.shape[1] - 1
    check_k(k, items)
    if np.isnan(scores[:, 1:]).any():
        raise ZooValueError("scores must be numbers, got NaN")
    numbers = np.arange(1, items + 1) if allowed is None else as_numbers(allowed, items)
    chosen = scores[:, 1:] if allowed is None else scores[:, numbers]
    return _best(iter([(numbers, np.array(chosen, np.float32))]), len(scores), k, excluded)


def check_k(k: int, items: int) -> None:
    """Check how many items are asked for.

    Raises:
        ZooValueError: if `k` is no whole number from 1 to the number of items.
    """
    if whole_number("k", k, unit="items") > items:
        raise ZooValueError(f"k must be at most the {items:,} items of the catalogue, got {k:,}")


def as_numbers(allowed: np.ndarray, items: int) -> np.ndarray:
    """Return numbers of items sorted, each once.

    Raises:
        ZooValueError: if there is none, or one is not from 1 to `items`.
    """
    numbers = np.unique(np.asarray(allowed))
    if not len(numbers) or numbers.dtype.kind not in "iu" or numbers[0] < 1 or numbers[-1] > items:
        raise ZooValueError(f"allowed must be at least one number from 1 to {items:,}, got {numbers!r:.60}")
    return numbers.astype(np.int64)


def _parts(count: int, first: int, most: int) -> Iterator[slice]:
    """Yield slices of so many things, the first small, each twice as long as the one before, up to `most`."""
    start = 0
    while start < count:
        stop = min(start + first, count)
        yield slice(start, stop)
        start, first = stop, min(2 * first, most)


def _queries(queries: np.ndarray, width: int) -> np.ndarray:
    queries = np.asarray(queries, np.float32)
    if queries.ndim != 2 or queries.shape[1] != width:
        raise ZooValueError(f"queries must be [batch, {width}], got {list(queries.shape)}")
    if not np.isfinite(queries).all():
        raise ZooValueError("queries must be finite, got a number that is not")
    return queries


def _best(blocks: Iterator[Found], batch: int, k: int, excluded: Sequence[np.ndarray] | None) -> Found:
    """Return the best k over blocks whose numbers rise."""
    if excluded is not None and len(excluded) != batch:
        raise ZooValueError(f"excluded must be one for each of the {batch} queries, got {len(excluded)}")
    rows, left_out = _pairs(excluded)
    numbers = np.zeros((batch, k), np.int64)
    best = np.full((batch, k), -np.inf, np.float32)
    for known, scores in blocks:
        _leave_out(scores, known, rows, left_out)
        # Numbers rise from block to block: of equal scores those that are there already stay.
        better = scores > best[:, -1:]
        counts = np.count_nonzero(better, axis=1)
        if counts.max(initial=0) > WIDEST * k:
            better &= _largest(scores, k)
            counts = np.count_nonzero(better, axis=1)
        if counts.any():
            numbers, best = _merged(numbers, best, *_gathered(better, counts, known, scores))
    return np.where(np.isneginf(best), 0, numbers).astype(np.int32), best


def _pairs(excluded: Sequence[np.ndarray] | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (row, number) of all that is left out, sorted by number."""
    if excluded is None or not len(excluded):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows = np.repeat(np.arange(len(excluded)), [len(each) for each in excluded])
    numbers = np.concatenate([np.asarray(each, np.int64) for each in excluded])
    order = np.argsort(numbers, kind="stable")
    return rows[order], numbers[order]


def _leave_out(scores: np.ndarray, known: np.ndarray, rows: np.ndarray, left_out: np.ndarray) -> None:
    here = slice(np.searchsorted(left_out, known[0]), np.searchsorted(left_out, known[-1], "right"))
    columns = np.searchsorted(known, left_out[here])
    there = known[columns] == left_out[here]
    scores[rows[here][there], columns[there]] = -np.inf


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Mark the k largest of each row; of equal ones the first."""
    if k >= scores.shape[1]:
        return np.ones(scores.shape, bool)
    least = np.partition(scores, -k, axis=1)[:, -k, None]
    larger, equal = scores > least, scores == least
    wanted = k - larger.sum(axis=1, keepdims=True)
    if (equal.sum(axis=1, keepdims=True) > wanted).any():
        equal &= np.cumsum(equal, axis=1) <= wanted
    return larger | equal


def _gathered(marked: np.ndarray, counts: np.ndarray, known: np.ndarray, scores: np.ndarray) -> Found:
    """Return what is marked as [batch, most of a row], filled up with -inf."""
    rows, columns = np.nonzero(marked)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    numbers = np.zeros((len(marked), counts.max()), np.int64)
    found = np.full(numbers.shape, -np.inf, np.float32)
    numbers[rows, places], found[rows, places] = known[columns], scores[rows, columns]
    return numbers, found


def _merged(numbers: np.ndarray, best: np.ndarray, more: np.ndarray, scores: np.ndarray) -> Found:
    k = best.shape[1]
    numbers, best = np.concatenate([numbers, more], axis=1), np.concatenate([best, scores], axis=1)
    # What is there already comes first and has the lower numbers: a stable order keeps that among equals.
    order = np.argsort(-best, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(numbers, order, axis=1), np.take_along_axis(best, order, axis=1)
