"""Watch the attention of a model while it is trained."""

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo import watch
from attention_zoo.calibrate.probe import probe
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.watch import Event, Monitor, Sink, statistics_in


class AttentionMonitor(keras.callbacks.Callback):
    """Judge the attention on a fixed batch of examples, every so many steps of a training and after each epoch.

    It looks once before the first step, so that a detector which does not fit the model is told of at once. What it
    sees changes nothing in the training: weights, random states and metrics are as without it.

    Args:
        detector: fitted on statistics of this model, or of one of the same architecture, when it was in order.
        data: arrays that the model reads (one, or a dict, list or tuple of arrays), of at least `detector.window`
            examples; all are judged as one window.
        every: steps between two looks.
        sinks: who is told; see `attention_zoo.watch.sinks`. They are left open: close them after the last training.
        raise_after: bad looks that make an alert, at least 1.
        clear_after: good looks that make an all-clear, at least 1.
        only: a glob on site paths; what else there is, is not looked at.
        batch_size: examples run at once; None runs all.

    Attributes:
        events: alerts and all-clears so far.
        monitor: the `Monitor` behind it, with `alert`, `since` and the last `judgement`.
        looks: how often it has looked.
        seconds: spent with looking.
        first_seconds: spent with the first look, in which the probe is compiled.

    Raises:
        ZooValueError: if there are too few examples or a number is out of range; in training, if the detector watches a
            site that the model has not.
    """

    def __init__(
        self,
        detector: watch.AttentionDetector,
        data: Any,
        every: int = 100,
        sinks: Sequence[Sink] = (),
        *,
        raise_after: int = 1,
        clear_after: int = 2,
        only: str = "*",
        batch_size: int | None = None,
    ):
        super().__init__()
        self.data = keras.tree.map_structure(np.asarray, data)
        sizes = {len(one) for one in keras.tree.flatten(self.data)}
        if len(sizes) != 1 or min(sizes) < detector.window:
            raise ZooValueError(f"data must hold at least {detector.window} examples (a window), got {sorted(sizes)}")
        self.examples = sizes.pop()
        self.every = whole_number("every", every, unit="steps")
        self.batch_size = self.examples if batch_size is None else whole_number("batch_size", batch_size)
        self.monitor = Monitor(detector, sinks, raise_after, clear_after)
        self.only = only
        self.events: list[Event] = []
        self.looks, self.seconds, self.first_seconds = 0, 0.0, 0.0
        self._step = self._looked = 0
        self._probe: keras.Model | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self._probe is None or self._probe.model is not self.model:
            self._probe = probe(self.model, only=self.only)
        self._look()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._batch = -1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._step += batch - self._batch  # one call may stand for several steps
        self._batch = batch
        if self._step // self.every > self._looked // self.every:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self._looked != self._step:
            self._look()

    def _look(self) -> None:
        begun = time.perf_counter()
        # One backend keeps the weights outside the model during an epoch; only there do models have this method.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        parts = [
            statistics_in(self._probe.predict_on_batch(self._batch_from(start)))
            for start in range(0, self.examples, self.batch_size)
        ]
        whole = {site: np.concatenate([part[site] for part in parts]) for site in parts[0]}
        self.events += self.monitor.observe(whole, self._step, whole=True)
        self._looked = self._step
        self.looks += 1
        self.seconds += time.perf_counter() - begun
        self.first_seconds = self.first_seconds or self.seconds

    def _batch_from(self, start: int) -> Any:
        return keras.tree.map_structure(lambda one: one[start : start + self.batch_size], self.data)
