"""Features of sounds and the ids of their transcripts in batches, for CTC, a decoder that attends, or both."""

from collections.abc import Callable, Sequence

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.text.pieces import BEGIN_ID, END_ID
from attention_zoo.text.rows import PAD_ID
from attention_zoo.training.data import pad
from attention_zoo.training.sorted import SortedBatches

MULTIPLES = (32, 8)  # frames and ids of a batch are rounded up to these
_VERSION = 3  # of what is drawn, beside ORDER and AUGMENT
_NO_IDS = np.zeros(0, np.int32)


class SpeechBatches(SortedBatches):
    """Cut sounds and their transcripts into padded batches for `fit` and `evaluate`.

    A batch is (inputs, truth, weights), of units y1 ... yn:

        inputs   features float32 [batch, frames, mels], frames int32 [batch], target_ids [BOS] y1 ... yn
        truth    ctc y1 ... yn, tokens y1 ... yn [EOS], int32 and padded by 0 to one width
        weights  ctc [batch], tokens [batch, target], 0 where the truth is padding

    where `target_ids` and `tokens` are only there for a decoder. Which sounds are together: see `SortedBatches`, by
    frames and ids, rounded up to `MULTIPLES`. The same (seed, epoch, batch) gives the same numbers in any process.

    Args:
        features: [frames, mels] each, of any kind of float (float16 halves the memory), without padding.
        targets: ids of units, [ids] each, perhaps none; neither begun nor ended.
        batch_size: sounds of a batch, where `frames` is None.
        frames: padded frames of a batch at most, sounds x width; a sound that is longer is a batch.
        decoder: whether a decoder reads `target_ids` and is to say `tokens`.
        versions: further features of the same sounds (other speeds, loudness, noise), as many lists as there are
            versions. Each epoch takes one of all for each sound, drawn by (seed, epoch, sound) where `shuffle` is True.
        seed: of the order, of the versions and of `augment`.
        shuffle: False for validation, and the first version.
        weights: one number for each sound, or None.
        augment: `augment(features, frames, generator) -> features`, called with the padded features of one batch and a
            NumPy generator of its own for (seed, epoch, batch), as `SpecAugment` is; it must keep the shape.
        plain_epochs: epochs at first that take each sound as it is, the first version and without `augment`: CTC leaves
            its plateau, where all is blank, sooner on easy data.
        pool: batches that are sorted by length together, see `OrderedBatches.pooled`.

    Attributes:
        epoch: which order is given out; `fit` sets it, plain Keras counts it up.

    Raises:
        ZooValueError: if features, ids, versions and weights do not fit together or a number is out of its range.
        ZooTypeError: if `augment` cannot be called.
    """

    def __init__(
        self,
        features: Sequence,
        targets: Sequence,
        *,
        batch_size: int = 32,
        frames: int | None = None,
        decoder: bool = True,
        versions: Sequence[Sequence] = (),
        seed: int = 0,
        shuffle: bool = True,
        weights=None,
        augment: Callable | None = None,
        plain_epochs: int = 0,
        pool: int | None = None,
    ):
        super().__init__(
            len(features),
            weights,
            batch_size=batch_size,
            limit=None if frames is None else whole_number("frames", frames, 1, "padded frames"),
            seed=seed,
            shuffle=shuffle,
            multiples=MULTIPLES,
            pool=pool,
        )
        if augment is not None and not callable(augment):
            raise ZooTypeError(f"augment must be a function of (features, frames, generator), got {augment!r:.40}")
        for name, count in (("targets", len(targets)), *((f"versions[{n}]", len(v)) for n, v in enumerate(versions))):
            if count != self.count:
                raise ZooValueError(f"{name} must be one for each sound ({self.count}), got {count}")
        self.decoder, self.augment = bool(decoder), augment
        self.plain_epochs = whole_number("plain_epochs", plain_epochs, 0, "epochs")
        self.versions = [_features(name, rows) for name, rows in _by_name(features, versions if shuffle else ())]
        self.mels = _one_width(self.versions)
        self.ids = [_ids(number, row) for number, row in enumerate(targets)]
        # A decoder says one id more than there are units; both truths have that width.
        written = np.array([len(row) + 1 for row in self.ids])
        self._lengths = np.array([[[len(row) for row in rows], written] for rows in self.versions]).transpose(0, 2, 1)
        self._longest = self._lengths.max(axis=0)
        self._drawn: tuple[int, np.ndarray] | None = None
        self.bound(self._longest)

    def version(self, epoch: int) -> np.ndarray:
        """Return which version each sound has in `epoch`, [sounds]."""
        if epoch < self.plain_epochs:
            return np.zeros(self.count, np.int64)
        if self._drawn is None or self._drawn[0] != epoch:
            random = np.random.default_rng([self.seed, _VERSION, epoch])
            self._drawn = (epoch, random.integers(len(self.versions), size=self.count))
        return self._drawn[1]

    def lengths(self, epoch: int) -> np.ndarray:
        """Return frames of each sound in `epoch`, and ids that a decoder is to say: [sounds, 2]."""
        return self._lengths[self.version(epoch), np.arange(self.count)]

    def _widths(self, epoch: int, index: int) -> np.ndarray:
        """Return how many frames and ids wide a batch is; the second batch differs from the first."""
        if len(self) == 1:
            return self.rounded(self._longest.max(axis=0))
        widths = self.rounded(self.lengths(epoch)[self.numbers(epoch, index)].max(axis=0))
        return widths + (widths == self._widths(epoch, 0)) * self.multiples if index == 1 else widths

    def __getitem__(self, index: int) -> tuple:
        epoch = self.epoch
        numbers, drawn = self.numbers(epoch, index), self.version(epoch)
        frames, width = self._widths(epoch, index)
        rows = [self.versions[drawn[number]][number] for number in numbers]
        real = np.array([len(row) for row in rows], np.int32)
        inputs = {"features": pad(rows, (frames, self.mels)).astype(np.float32), "frames": real}
        if self.augment is not None and epoch >= self.plain_epochs:
            changed = np.asarray(self.augment(inputs["features"], real, self.generator(epoch, index)), np.float32)
            if changed.shape != inputs["features"].shape:
                raise ZooValueError(
                    f"augment must keep the shape {list(inputs['features'].shape)}, got {list(changed.shape)}"
                )
            inputs["features"] = changed
        ids = [self.ids[number] for number in numbers]
        truth = {"ctc": pad([_NO_IDS, *ids], (width,), PAD_ID)[1:]}
        each = np.ones(len(numbers), np.float32) if self.weights is None else self.weights[numbers]
        weights = {"ctc": each}
        if self.decoder:
            inputs["target_ids"] = pad([np.append(np.int32(BEGIN_ID), row) for row in ids], (width,), PAD_ID)
            truth["tokens"] = pad([np.append(row, np.int32(END_ID)) for row in ids], (width,), PAD_ID)
            weights["tokens"] = (truth["tokens"] != PAD_ID) * each[:, None]
        return inputs, truth, weights


def _by_name(features: Sequence, versions: Sequence[Sequence]) -> list[tuple[str, Sequence]]:
    return [("features", features), *((f"versions[{number}]", rows) for number, rows in enumerate(versions))]


def _features(name: str, rows: Sequence) -> list[np.ndarray]:
    """Check features, and return them as arrays."""
    found = [np.asarray(row) for row in rows]
    for number, row in enumerate(found):
        if row.ndim != 2 or not row.size or row.dtype.kind != "f":
            raise ZooValueError(
                f"{name}[{number}] must be floats [frames, mels], got {row.dtype} of shape {list(row.shape)}"
            )
    return found


def _one_width(versions: list[list[np.ndarray]]) -> int:
    mels = {row.shape[1] for rows in versions for row in rows}
    if len(mels) > 1:
        raise ZooValueError(f"features must all have as many mels, got {sorted(mels)}")
    return mels.pop()


def _ids(number: int, row: Sequence) -> np.ndarray:
    """Check a row of ids, and return it as int32."""
    found = np.asarray(row)
    if found.ndim != 1 or (found.size and (found.dtype.kind not in "iu" or found.min() < 1)):
        raise ZooValueError(
            f"targets[{number}] must be a row of ids of at least 1, got {found.dtype} of shape {list(found.shape)}"
        )
    return found.astype(np.int32, copy=False)
