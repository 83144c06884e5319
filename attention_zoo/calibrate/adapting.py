"""Let rules follow unlabelled data, until attention is normal again."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.calibrate.capture import untrained
from attention_zoo.calibrate.probe import dotted
from attention_zoo.calibrate.reweight import Reweighted
from attention_zoo.calibrate.statistics import statistics_of
from attention_zoo.core.tape import Seen, Tape
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training import fit
from attention_zoo.watch import GATE, MIX, Baseline


class FromNormal(keras.Model):
    """How far the statistics of a model with rules are from normal: [batch, 1]."""

    def __init__(self, model: keras.Model, normal: dict[str, tuple[np.ndarray, np.ndarray]]):
        super().__init__()
        self.model, self._normal = model, tuple(normal.items())
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        found, normal = [], dict(self._normal)

        def note(seen: Seen) -> Any:
            name = dotted(seen.name)
            if name in normal:
                median, scale = (ops.convert_to_tensor(array) for array in normal[name])
                change = (ops.mean(statistics_of(seen), axis=0) - median) * scale
                found.append(ops.mean(ops.square(ops.where(ops.isnan(change), 0.0, change))))
            return seen.weights

        with Tape(note, keep=False):
            output = self.model(inputs, training=False)
        batch = ops.reshape(ops.cast(output, "float32"), (ops.shape(output)[0], -1))[:, :1]
        return sum(found) / max(len(found), 1) + 0.0 * batch

    def get_config(self) -> dict:
        return {**super().get_config(), "model": untrained(self.model)}


def adapt(
    model: Reweighted,
    inputs: Any,
    baseline: Baseline,
    *,
    statistics: tuple[str, ...] = ("entropy", "peak", "top5", "mean"),
    epochs: int = 10,
    batch_size: int = 64,
    learning_rate: float = 0.05,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Let rules follow unlabelled data by gradient: until each head's statistics are normal again.

    loss = mean over heads and statistics of ((mean of the batch - median) / spread)^2

    Args:
        model: with rules that can learn; they are changed, nothing else is.
        inputs: arrays that the model reads.
        baseline: of the model in order.
        statistics: which of `watch.MIX` and `watch.GATE` are to be normal.
        epochs: how often `inputs` are seen.
        batch_size: examples a step.
        learning_rate: of Adam.
        seed: of the order.

    Returns:
        {"loss": [value an epoch]}.

    Raises:
        ZooTypeError: if `model` has no rules.
        ZooValueError: if no site of the baseline is one of the model's.

    Source: Wang et al. 2021, arXiv:2006.10726 (a few parameters follow the data at test time; there by the entropy of
    the answers).
    """
    if not isinstance(model, Reweighted):
        raise ZooTypeError(f"model must be one of `reweight`, got {type(model).__name__}")
    normal = _normal(baseline, statistics)
    if not set(normal) & set(model.known):
        raise ZooValueError(
            f"baseline must be of this model, got sites {sorted(normal)}; the model's are {list(model.known)}"
        )
    distance, trainable = FromNormal(model, normal), model.model.trainable
    model.model.trainable = False
    zeros = np.zeros((len(keras.tree.flatten(inputs)[0]), 1), np.float32)
    try:
        return fit(
            distance,
            (inputs, zeros),
            epochs=epochs,
            optimizer=keras.optimizers.Adam(learning_rate),
            loss="mean_absolute_error",
            seed=seed,
            progress=False,
            batch_size=batch_size,
        )
    finally:
        model.model.trainable = trainable


def _normal(baseline: Baseline, statistics: tuple[str, ...]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return medians and 1 / spread of each site, [heads, statistics]; 0 for statistics that are not asked for."""
    tables: dict[str, list[Mapping[str, Any]]] = {}
    for row in baseline.rows():
        tables.setdefault(row["site"], []).append(row)
    found = {}
    for site, rows in tables.items():
        names = MIX if rows[0]["statistic"] in MIX else GATE
        shape = (len(rows) // len(names), len(names))
        median = np.array([row["median"] for row in rows], np.float32).reshape(shape)
        spread = np.array([row["spread"] for row in rows], np.float32).reshape(shape)
        asked = np.isin(names, statistics) & np.isfinite(median)
        scale = np.where(asked, 1.0 / np.maximum(np.nan_to_num(spread), 0.01), 0.0)
        found[site] = (np.nan_to_num(median), scale.astype(np.float32))
    return found
