"""What watches a training: early stopping that survives a kill, a stop on NaN, a judge, and the seed of each epoch."""

import math
from collections.abc import Callable

import keras
import numpy as np

from attention_zoo.errors import ZooError, ZooTypeError, ZooValueError
from attention_zoo.training.averaging import averaged
from attention_zoo.training.ordered import OrderedBatches
from attention_zoo.training.seeds import check_seed, derive, reseed

EPOCH = 3


class TrainingDiverged(ZooError, ArithmeticError):
    """The loss is no longer a number."""


class EpochSeed(keras.callbacks.Callback):
    """Seed every epoch by (seed, epoch), and tell the data which epoch it is.

    Layers with a seed generator of their own keep their state in the model. What draws from a global generator (dropout
    without a seed on one backend, NumPy in a user's function) is the same for the same epoch, whether or not the
    training was interrupted before.

    Args:
        seed: seed of the run.
        data: what is trained on; its `epoch` is set if it has one.
    """

    def __init__(self, seed: int = 0, data=None):
        super().__init__()
        self.seed, self.data = check_seed(seed), data

    def on_epoch_begin(self, epoch, logs=None):
        reseed(derive(self.seed, EPOCH, epoch))
        if hasattr(self.data, "epoch"):
            self.data.epoch = epoch


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Stop when a measure no longer improves, and put the best weights back; its state goes into checkpoints.

    As Keras's own, but: where the optimizer keeps averaged weights, the best ones kept are those (they were judged);
    and a measure that is not there is an error.

    Args:
        monitor: name of the measure in the logs ("val_loss").
        patience: epochs without improvement before the stop, at least 0.
        min_delta: improvement that counts.
        mode: "min", "max", or "auto" (Keras decides by the name).
        restore_best: whether the best weights are put back at the end, also when training ran to its last epoch.
        start_from_epoch: epochs that are not judged at first.

    Raises:
        ZooValueError: in training, if there is no such measure.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
        start_from_epoch: int = 0,
    ):
        if patience < 0:
            raise ZooValueError(f"patience must be at least 0 (epochs), got {patience}")
        super().__init__(
            monitor=monitor, patience=patience, min_delta=min_delta, mode=mode, start_from_epoch=start_from_epoch
        )
        self.restore_best = restore_best
        self._resumed: dict | None = None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        for name, value in (self._resumed or {}).items():
            setattr(self, name, value)
        self._resumed = None

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in (logs or {}):
            raise ZooValueError(f"monitor must be one of {sorted(logs or {})}, got {self.monitor!r}")
        super().on_epoch_end(epoch, logs)
        if self.restore_best and self.best is not None and self.best_epoch == epoch:
            with averaged(self.model):
                self.best_weights = self.model.get_weights()

    def on_train_end(self, logs=None):
        if self.restore_best and self.best_weights is not None:
            self.model.set_weights(self.best_weights)

    def get_state(self) -> dict:
        """Return what decides the rest of the training (plain numbers, and the best weights as arrays)."""
        best = None if self.best is None else float(self.best)
        state = {"best": best, "best_epoch": self.best_epoch, "wait": self.wait, "stopped_epoch": self.stopped_epoch}
        return state if self.best_weights is None else {**state, "best_weights": self.best_weights}

    def set_state(self, state: dict) -> None:
        """Take over what `get_state` returned when the next training begins."""
        self._resumed = dict(state)


class StopOnNan(keras.callbacks.Callback):
    """End the training with a clear sentence when the loss is NaN or infinite at the end of an epoch.

    Put it before `Checkpoint`, so that broken weights are never kept. It looks once an epoch: a look at each batch
    would make the program wait for the device, and one NaN stays in the epoch's mean anyway.

    Args:
        hint: what else to tell (where the last good checkpoint is).

    Raises:
        TrainingDiverged: in training.
    """

    def __init__(self, hint: str = ""):
        super().__init__()
        self.hint = hint

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            if name in ("loss", "val_loss") and not math.isfinite(value):
                raise TrainingDiverged(
                    f"{name} became {value} in epoch {epoch + 1}: lower the learning rate, clip the gradients harder, "
                    f"or look for NaN in the data{self.hint}"
                )


class Judge(keras.callbacks.Callback):
    """Predict the validation data after each epoch and add measures of your own to the logs as `val_<name>`.

    Put it before `EarlyStopping`, which can then watch them. Averaged weights are judged where there are some.

    Args:
        batches: validation data, not shuffled.
        judge: `judge(logits, targets) -> {name: number}`, both in the rows' own order.

    Raises:
        ZooTypeError: if `batches` is none of our Batches.
        ZooValueError: if they are shuffled or have no targets.
    """

    def __init__(self, batches: OrderedBatches, judge: Callable[[np.ndarray, np.ndarray], dict[str, float]]):
        super().__init__()
        if not isinstance(batches, OrderedBatches):
            raise ZooTypeError(f"batches must be attention_zoo's Batches, got {type(batches).__name__}")
        if batches.shuffle or batches.targets is None:
            raise ZooValueError("batches must have targets and shuffle=False to be judged")
        self.batches, self.judge = batches, judge

    def on_epoch_end(self, epoch, logs=None):
        with averaged(self.model):
            outputs = self.model.predict(self.batches, verbose=0)
        measures = self.judge(self.batches.restore(outputs), self.batches.targets)
        logs.update({f"val_{name}": float(value) for name, value in measures.items()})
