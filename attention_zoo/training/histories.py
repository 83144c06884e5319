"""Histories in batches: what is read, which places are asked, and what comes next there."""

from collections.abc import Callable
from typing import Any

import numpy as np

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.recsys import Histories
from attention_zoo.training.negatives import Negatives
from attention_zoo.training.ordered import OrderedBatches

KINDS = ("next", "cloze")
LOSSES = ("softmax", "sampled_softmax", "bce")
NEVER = 1e9  # what is taken off the score of a drawn item that is the right one
LAST = 0.1  # share of the rows of a cloze of which only the newest item is hidden, as it is when asked what comes next

Asked = tuple[np.ndarray, np.ndarray, np.ndarray]


class HistoryBatches(OrderedBatches):
    """Cut histories of numbers into batches of a training on what comes next.

    "next": at each place of a history the next item is the truth; for networks that see nothing later. "cloze": some
    items are hidden and are the truth; for networks that see both ways. With `targets`, for validation, only what comes
    after each history is asked.

    Inputs of a batch: "items", int32 [rows, steps], padded at the left, and "places", int32 [asked], which are row x
    steps + step. Work then grows with what is asked and not with padding; `asked` is filled up to a power of two or 1.5
    of one, so that few shapes are compiled, by places of weight 0. What else there is goes by the loss:

        softmax            truth int32 [asked], numbers from 0 (item - 1)
        sampled_softmax    inputs "right" [asked], "negatives" [drawn], the same for all; truth float32
                           [asked, 1 + drawn], what is taken off each score: 0, then log(drawn q), and NEVER where the
                           right item was drawn
        bce                inputs "right" [asked], "negatives" [asked, drawn]; truth float32 [asked, 1 + drawn]: 1, then
                           0, and -1 where the right item was drawn

    With `candidates`, for networks that rank, one place of each row is asked a second time, drawn evenly: inputs
    "ranked" [rows] and "candidates" [rows, 1 + candidates], first the right one; truths are {"next": as above,
    "ranked": float32 [rows, 1 + candidates], as of sampled_softmax}.

    Batches hold rows of like length. Of a history longer than what is read another stretch is taken in each epoch, so
    all of it is learned in time. The same (seed, epoch, batch) gives the same numbers in any process. Items may lie in
    a file that is mapped into memory: a batch reads its own rows only.

    TensorFlow takes the first two batches for the shape of all. So the second is padded by one multiple more where
    there are different lengths and it would be as wide as the first.

    Args:
        histories: of numbers 1 to the number of items, oldest first.
        targets: what came after each, int [rows]; None learns from the histories themselves. Rows whose target is 0
            (not known) are left out, as are histories that are too short.
        length: items that are read at most.
        kind: "next" or "cloze".
        hidden: number that stands for a hidden item.
        hide: share of the items of a row that "cloze" hides, at least one.
        loss: "softmax", "sampled_softmax" or "bce".
        negatives: draws items that were not chosen; None where none are needed.
        drawn: items drawn for a batch (sampled_softmax) or a place (bce).
        candidates: items drawn for each row that are ranked beside the right one; 0 for none.
        pool: batches that are sorted by length together, see `OrderedBatches.pooled`.
        **options: batch_size, seed, shuffle; of `OrderedBatches`.

    Raises:
        ZooValueError: if there is no history with anything to learn, or a number cannot work.
    """

    MULTIPLE = 8  # steps that widths are rounded up to

    def __init__(
        self,
        histories: Histories,
        targets: np.ndarray | None = None,
        *,
        length: int,
        kind: str = "next",
        hidden: int = 0,
        hide: float = 0.2,
        loss: str = "softmax",
        negatives: Negatives | None = None,
        drawn: int = 0,
        candidates: int = 0,
        pool: int | None = None,
        **options: Any,
    ):
        least = 2 if targets is None and kind == "next" else 1
        enough = histories.lengths >= least
        if targets is not None:
            enough &= np.asarray(targets) > 0
        if not enough.any():
            raise ZooValueError(f"histories must hold one of at least {least} known items to learn from, got none")
        self.histories = histories if enough.all() else histories.rows(np.flatnonzero(enough))
        targets = targets if targets is None else np.asarray(targets)[enough]
        settings = {"batch_size": 256, "seed": 0, "shuffle": targets is None, **options}
        super().__init__(len(self.histories), targets, None, **settings)
        for name, value, known in (("kind", kind, KINDS), ("loss", loss, LOSSES)):
            if value not in known:
                raise unknown(name, value, known)
        if (loss != "softmax" or candidates) and negatives is None:
            raise ZooValueError("negatives must be given where items are drawn, got None")
        self.length, self.kind, self.hidden = whole_number("length", length), kind, hidden
        self.hide, self.loss, self.negatives = share("hide", hide), loss, negatives
        self.drawn = whole_number("drawn", drawn, 0 if loss == "softmax" else 1)
        self.candidates, self.pool = whole_number("candidates", candidates, 0), self.pooled(pool)
        read = np.minimum(self.histories.lengths - (kind == "next" and targets is None), self.length)
        read += kind == "cloze" and targets is not None
        self._rounded = -(-read // self.MULTIPLE) * self.MULTIPLE
        self._ask: Callable[..., Asked] = self._last if targets is not None else getattr(self, f"_{kind}")

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return which rows make each batch of `epoch` (numbers of rows, one array per batch)."""
        if not self.shuffle:
            return self.cut(np.arange(self.count), len(self), self._by_width)
        return self.mixed(epoch, lambda numbers: self.cut(numbers, self.pool, self._by_width))

    def _by_width(self, numbers: np.ndarray) -> np.ndarray:
        """Sort by width; what is alike keeps its order."""
        return numbers[np.argsort(self._rounded[numbers], kind="stable")]

    def _width(self, epoch: int, index: int) -> int:
        """Return the steps of a batch; the second differs from the first where any two rows do."""
        if len(self) == 1:
            return int(self._rounded.max())
        width = int(self._rounded[self.numbers(epoch, index)].max())
        varies = index == 1 and np.ptp(self._rounded) > 0
        return width + self.MULTIPLE if varies and width == self._width(epoch, 0) else width

    def __getitem__(self, index: int) -> tuple:
        epoch = self.epoch
        numbers, generator = self.numbers(epoch, index), self.generator(epoch, index)
        items, asked, truth = self._ask(numbers, self._width(epoch, index), generator)
        places = np.flatnonzero(asked).astype(np.int32)
        count = filled(len(places))
        weights = np.zeros(count, np.float32)
        weights[: len(places)] = 1.0
        inputs = {"items": items, "places": _filled_up(places, count)}
        right = _filled_up(truth.astype(np.int32), count, 1)
        more, said = self._scored(right, generator)
        inputs |= more
        if not self.candidates:
            return inputs, said, weights
        more, order = self._ranked(asked, truth, generator)
        rows = np.ones(len(numbers), np.float32)
        return inputs | more, {"next": said, "ranked": order}, {"next": weights, "ranked": rows}

    def _next(self, numbers: np.ndarray, width: int, generator: np.random.Generator) -> Asked:
        rows = self.histories.rows(numbers)
        rows = rows.without_last(_skipped(rows.lengths - self.length - 1, generator))
        block = rows.newest(self.length + 1).padded(width + 1)
        items, following = block[:, :-1], block[:, 1:]
        asked = items > 0
        return np.ascontiguousarray(items), asked, following[asked]

    def _cloze(self, numbers: np.ndarray, width: int, generator: np.random.Generator) -> Asked:
        rows = self.histories.rows(numbers)
        rows = rows.without_last(_skipped(rows.lengths - self.length, generator))
        block = rows.newest(self.length).padded(width)
        drawn = np.where(block > 0, generator.random(block.shape), 2.0)
        # One at least: the least of the draws.
        asked = (drawn < self.hide) | (drawn == drawn.min(axis=1, keepdims=True))
        last = generator.random(len(block)) < LAST
        asked[last] = np.arange(width) == width - 1
        return np.where(asked, self.hidden, block).astype(np.int32), asked, block[asked]

    def _last(self, numbers: np.ndarray, width: int, generator: np.random.Generator) -> Asked:
        rows = self.histories.rows(numbers)
        if self.kind == "cloze":
            items = rows.newest(self.length).padded(width - 1)
            items = np.concatenate([items, np.full((len(items), 1), self.hidden, np.int32)], axis=1)
        else:
            items = rows.newest(self.length).padded(width)
        asked = np.broadcast_to(np.arange(width) == width - 1, items.shape)
        return items, asked, self.targets[numbers]

    def _scored(self, right: np.ndarray, generator: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return the further inputs of the loss, and its truth."""
        if self.loss == "softmax":
            return {}, right - 1
        if self.loss == "sampled_softmax":
            others = self.negatives.draw(generator, self.drawn)
            said = self._off(right, np.broadcast_to(others, (len(right), self.drawn)))
        else:
            others = self.negatives.draw(generator, (len(right), self.drawn))
            said = np.where(others == right[:, None], -1.0, 0.0)
            said = np.concatenate([np.ones((len(right), 1)), said], axis=1).astype(np.float32)
        return {"right": right, "negatives": others}, said

    def _ranked(
        self, asked: np.ndarray, truth: np.ndarray, generator: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return one place of each row with its candidates, and what is taken off their scores."""
        counts = asked.sum(axis=1)
        chosen = np.cumsum(counts) - counts + (generator.random(len(counts)) * counts).astype(np.int64)
        right = truth[chosen].astype(np.int32)
        others = self.negatives.draw(generator, (len(right), self.candidates))
        candidates = np.concatenate([right[:, None], others], axis=1)
        places = np.flatnonzero(asked)[chosen].astype(np.int32)
        return {"ranked": places, "candidates": candidates}, self._off(right, others)

    def _off(self, right: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return what is taken off the scores of the right item and of those drawn, float32 [asked, 1 + drawn]."""
        off = self.negatives.log_chance[others] + np.log(others.shape[1])
        off = np.where(others == right[:, None], NEVER, off)
        return np.concatenate([np.zeros((len(right), 1)), off], axis=1).astype(np.float32)


def filled(count: int) -> int:
    """Round up to a power of two, or to 1.5 of one; at least 8."""
    size = 8
    while size < count:
        size *= 2
    return size // 4 * 3 if size > 8 and size // 4 * 3 >= count else size


def _filled_up(values: np.ndarray, count: int, filling: int = 0) -> np.ndarray:
    return np.concatenate([values, np.full(count - len(values), filling, values.dtype)])


def _skipped(more: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return how many of the newest items are left out of each history that has more than are read."""
    return (generator.random(len(more)) * (np.maximum(more, 0) + 1)).astype(np.int64)
