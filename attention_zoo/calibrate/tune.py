"""Learn the parameters of rules, and nothing else, on validation data; and take them back where they do not help."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.calibrate.reweight import Reweighted, reweight
from attention_zoo.calibrate.scores import Interval, differences, intervals, outcomes
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training import OrderedBatches, fit


@dataclass(frozen=True)
class Calibration:
    """What came of a calibration, on held-out examples.

    Args:
        model: the model with its rules; as it was where they were taken back.
        before: accuracy, nll (nats) and calibration_error (0..1), each with its interval.
        after: the same with the rules as they were learned.
        change: after - before of the same examples, each with its interval.
        kept: False where the rules were taken back, because accuracy fell or nll rose.
        parameters: how many numbers were learned.
        history: of the training, a value for each epoch.
    """

    model: Reweighted
    before: dict[str, Interval]
    after: dict[str, Interval]
    change: dict[str, Interval]
    kept: bool
    parameters: int
    history: dict[str, list[float]]

    def table(self) -> str:
        """Return a table for a person."""
        lines = [f"{'':18} {'before':>24} {'after':>24} {'change':>26}"]
        lines += [
            f"{name:18} {self.before[name]!s:>24} {self.after[name]!s:>24} {self.change[name]!s:>26}"
            for name in self.before
        ]
        lines.append(f"{self.parameters} parameters; the rules were {'kept' if self.kept else 'taken back'}")
        return "\n".join(lines)


def calibrate(
    model: keras.Model,
    data: Any,
    held_out: Any = None,
    *,
    rules: Any = "temperature",
    temperature: float = 1.0,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 0.03,
    seed: int = 0,
    example: Any = None,
    progress: bool = False,
) -> Calibration:
    """Learn rules on labelled data with the model frozen, judge them on held-out data, keep them only if they help.

    Args:
        model: from arrays to logits [batch, labels].
        data: (arrays, targets), or batches of `training` that shuffle; targets are label numbers, or 0 and 1 for each
            label where any number may be true.
        held_out: the same, never learned from; None takes a random half of `data` (arrays only).
        rules: as of `reweight`; or a `Reweighted` model is given, whose rules learn.
        temperature: what the logits are divided by before they become probabilities.
        epochs: how often `data` is seen.
        batch_size: examples a step, where `data` is arrays.
        learning_rate: of Adam.
        seed: of the split and the order.
        example: as of `reweight`.
        progress: whether to print a line an epoch.

    Returns:
        The model with its rules, and what they do, measured on `held_out`.

    Raises:
        ZooTypeError, ZooValueError: as `reweight`; if data is no pair, or nothing is there to be learned.

    Cost: `epochs` passes over `data`, forward and back.
    """
    if isinstance(temperature, bool) or not temperature > 0:
        raise ZooValueError(f"temperature must be positive, got {temperature!r}")
    data, held_out = _parts(data, held_out, seed)
    changed = model if isinstance(model, Reweighted) else reweight(model, rules, example)
    base = changed.model
    before = _judged(changed, held_out, temperature)
    trainable, start = base.trainable, [ops.convert_to_numpy(weight) for weight in changed.weights]
    base.trainable = False
    try:
        count = sum(math.prod(weight.shape) for weight in changed.trainable_weights)
        if not count:
            raise ZooValueError("rules must have something to learn, got none with a parameter")
        loss = ScaledLoss(temperature, before.multi_label)
        settings = {"batch_size": whole_number("batch_size", batch_size)} if isinstance(data, tuple) else {}
        optimizer = keras.optimizers.Adam(learning_rate)
        history = fit(
            changed, data, epochs=epochs, optimizer=optimizer, loss=loss, seed=seed, progress=progress, **settings
        )
    finally:
        base.trainable = trainable
    after = _judged(changed, held_out, temperature)
    kept = after.mean("accuracy") >= before.mean("accuracy") and after.mean("nll") <= before.mean("nll")
    if not kept:
        for weight, value in zip(changed.weights, start):
            weight.assign(value)
    told = (intervals(before, seed), intervals(after, seed), differences(before, after, seed))
    return Calibration(changed, *told, kept, count, history)


def _parts(data: Any, held_out: Any, seed: int) -> tuple[Any, Any]:
    """Return data to learn from and to judge by."""
    for name, part in {"data": data, "held_out": held_out}.items():
        if part is None and name == "held_out":
            continue
        if not isinstance(part, OrderedBatches) and not (isinstance(part, (tuple, list)) and len(part) == 2):
            raise ZooTypeError(f"{name} must be (arrays, targets) or batches, got {type(part).__name__}")
    if held_out is not None:
        return (data if isinstance(data, OrderedBatches) else tuple(data)), held_out
    if isinstance(data, OrderedBatches):
        raise ZooValueError("held_out must be given where data is batches, got None")
    arrays, targets = data
    order = np.random.default_rng(seed).permutation(len(targets))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    return tuple((_rows(arrays, half), np.asarray(targets)[half]) for half in halves)


def _rows(arrays: Any, chosen: np.ndarray) -> Any:
    return keras.tree.map_structure(lambda one: one[chosen], arrays)


def _judged(model: keras.Model, part: Any, temperature: float) -> Any:
    if isinstance(part, OrderedBatches):
        if part.targets is None:
            raise ZooValueError("held_out must have targets, got batches without")
        return outcomes(
            part.restore(np.asarray(model.predict(part, verbose=0), np.float64)) / temperature, part.targets
        )
    arrays, targets = part
    return outcomes(np.asarray(model.predict(arrays, verbose=0), np.float64) / temperature, targets)


@keras.saving.register_keras_serializable(package="attention_zoo")
class ScaledLoss(keras.losses.Loss):
    """Negative log likelihood of logits that are divided by a temperature, in nats.

    Args:
        temperature: the divisor.
        multi_label: True where targets are 0 and 1 for each label.
    """

    def __init__(self, temperature: float = 1.0, multi_label: bool = False, name: str = "nll"):
        super().__init__(name=name)
        self.temperature, self.multi_label = temperature, multi_label

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits = ops.cast(y_pred, "float32") / self.temperature
        if self.multi_label:
            return ops.mean(ops.binary_crossentropy(ops.cast(y_true, "float32"), logits, from_logits=True), axis=-1)
        return ops.sparse_categorical_crossentropy(ops.reshape(y_true, (-1,)), logits, from_logits=True)

    def get_config(self) -> dict:
        return {"temperature": self.temperature, "multi_label": self.multi_label, "name": self.name}
