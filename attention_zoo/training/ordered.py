"""What batches of all kinds share: an order that depends on (seed, epoch) and on nothing else."""

from collections.abc import Callable

import keras
import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.training.seeds import check_seed, derive

ORDER, AUGMENT = 1, 2
Sort = Callable[[np.ndarray], np.ndarray]
POOLS, LARGEST_POOL = 16, 50  # pools of an epoch at least, batches of a pool at most


class OrderedBatches(keras.utils.PyDataset):
    """Cut rows into batches; base of `Batches` and `ImageBatches`, which say how a batch is made.

    The same (seed, epoch, batch) gives the same rows in any process, so a training can go on after a kill as if nothing
    had happened.

    Keras's own workers (`workers=2`) stay off: with them `fit` gives out batches of epoch 0 after a resume, and left
    over ones of the epoch before at the start of the next (measured with Keras 3.15 on two of three backends).

    Args:
        count: how many rows there are, at least 1.
        targets: one per row, or None.
        weights: one number per row, or None.
        batch_size: rows per batch.
        seed: of the order and of the augmentation.
        shuffle: False for validation and prediction.

    Attributes:
        epoch: which order is given out; `fit` sets it, plain Keras counts it up.

    Raises:
        ZooValueError: if there are no rows, columns do not fit them or a number is out of its range.
    """

    def __init__(self, count: int, targets, weights, *, batch_size: int, seed: int, shuffle: bool):
        super().__init__()
        if batch_size < 1:
            raise ZooValueError(f"batch_size must be at least 1, got {batch_size}")
        if count < 1:
            raise ZooValueError("rows must hold at least one row, got none")
        self.count, self.batch_size, self.shuffle = count, batch_size, shuffle
        self.targets = None if targets is None else np.asarray(targets)
        self.weights = None if weights is None else np.asarray(weights, dtype="float32")
        for name, column in {"targets": self.targets, "weights": self.weights}.items():
            if column is not None and len(column) != count:
                raise ZooValueError(f"{name} must have one entry per row ({count}), got {len(column)}")
        self.seed, self.epoch = check_seed(seed), 0
        self._order: tuple[int, list[np.ndarray]] | None = None

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    @property
    def num_batches(self) -> int:
        """Batches of one epoch."""
        return len(self)

    def pooled(self, pool: int | None) -> int:
        """Return how many batches are sorted by length together: 1 does not sort, more saves padding.

        None takes a sixteenth of the batches, from 1 to 50: where all of a small set is sorted together, examples of a
        batch are of one kind, and a network may never leave what it says of all of them.

        Args:
            pool: as of the subclass, or None.

        Raises:
            ZooValueError: if it is under 1.
        """
        if pool is None:
            batches = -(-self.count // self.batch_size)
            return min(max(batches // POOLS, 1), LARGEST_POOL)
        return whole_number("pool", pool, 1, "batches")

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return which rows make each batch of `epoch` (numbers of rows, one array per batch)."""
        numbers = np.arange(self.count)
        if self.shuffle:
            numbers = self._random(epoch).permutation(self.count)
        return self.cut(numbers)

    def cut(self, numbers: np.ndarray, pool: int = 1, sort: Sort | None = None) -> list[np.ndarray]:
        """Cut rows into batches, each `pool` of them sorted together.

        Args:
            numbers: of the rows, as they are cut.
            pool: batches that are sorted together.
            sort: `sort(numbers) -> numbers` in the order wanted; None leaves them as they are.
        """
        size, batches = self.batch_size, []
        for start in range(0, len(numbers), pool * size):
            chunk = numbers[start : start + pool * size]
            chunk = chunk if sort is None else sort(chunk)
            batches += [chunk[at : at + size] for at in range(0, len(chunk), size)]
        return batches

    def mixed(self, epoch: int, cut: Callable[[np.ndarray], list[np.ndarray]], rest: bool = True) -> list[np.ndarray]:
        """Mix the rows by (seed, epoch), cut them, and mix the batches.

        Args:
            epoch: whose order.
            cut: `cut(numbers) -> batches`.
            rest: whether what does not fill a batch is left out of the cut, as a random batch of its own.
        """
        random = self._random(epoch)
        numbers = self._chosen(random)
        full = len(numbers) - len(numbers) % self.batch_size if rest else len(numbers)
        batches = cut(numbers[:full]) + ([numbers[full:]] if full < len(numbers) else [])
        return [batches[place] for place in random.permutation(len(batches))]

    def _chosen(self, random: np.random.Generator) -> np.ndarray:
        """Return the rows of an epoch, mixed."""
        return random.permutation(self.count)

    def _random(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, ORDER, epoch])

    def numbers(self, epoch: int, index: int) -> np.ndarray:
        """Return the numbers of the rows of one batch."""
        order = self._order
        if order is None or order[0] != epoch:
            order = self._order = (epoch, self.order(epoch))
        return order[1][index]

    def generator(self, epoch: int, index: int) -> np.random.Generator:
        """Return the generator that augments one batch."""
        return np.random.default_rng([derive(self.seed, AUGMENT, epoch), index])

    def restore(self, outputs: np.ndarray) -> np.ndarray:
        """Put what `predict` returned into the order of the rows.

        Raises:
            ZooValueError: if the batches are shuffled, or the outputs are not one per row.
        """
        outputs = np.asarray(outputs)
        if self.shuffle:
            raise ZooValueError("shuffle must be False to put outputs back in order, got True")
        if len(outputs) != self.count:
            raise ZooValueError(f"outputs must have one entry per row ({self.count}), got {len(outputs)}")
        ordered = np.empty_like(outputs)
        ordered[np.concatenate(self.order(0))] = outputs
        return ordered

    def on_epoch_end(self) -> None:
        """Go to the next epoch's order; called by Keras."""
        self.epoch += 1
