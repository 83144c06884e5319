"""Learning rates that change with the step."""

import keras
from keras import ops

from attention_zoo.errors import ZooValueError, unknown

KINDS = ("cosine", "constant", "linear", "inverse_sqrt")


@keras.saving.register_keras_serializable("attention_zoo")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rise in a straight line to `peak`, then stay, fall in a straight line, or fall with the root of the step.

    rate(step) = peak (step + 1) / (warmup + 1)                           for step < warmup
    constant:      peak
    linear:        peak (1 - (1 - floor) min(1, (step - warmup) / (steps - warmup)))
    inverse_sqrt:  peak sqrt(max(warmup, 1) / max(step, warmup, 1))

    Args:
        kind: "constant", "linear" or "inverse_sqrt".
        peak: the largest rate.
        steps: optimizer steps of the whole training; only "linear" looks at it.
        warmup: optimizer steps of the rise, at least 0.
        floor: rate at the end of "linear", as a share of `peak`.

    Source: inverse_sqrt: Vaswani et al. 2017, arXiv:1706.03762, section 5.3, with the peak given in place of the width.
    """

    def __init__(self, kind: str, peak: float, steps: int, warmup: int = 0, floor: float = 0.0):
        super().__init__()
        self.kind = kind
        self.peak = float(peak)
        self.steps = int(steps)
        self.warmup = int(warmup)
        self.floor = float(floor)

    def __call__(self, step):
        """Return the rate at `step` (a scalar tensor, counted from 0)."""
        step = ops.cast(step, "float32")
        rise = self.peak * (step + 1.0) / (self.warmup + 1.0)
        if self.kind == "linear":
            done = ops.clip((step - self.warmup) / max(self.steps - self.warmup, 1), 0.0, 1.0)
            after = self.peak * (1.0 - (1.0 - self.floor) * done)
        elif self.kind == "inverse_sqrt":
            start = float(max(self.warmup, 1))
            after = self.peak * ops.sqrt(start / ops.maximum(step, start))
        else:
            after = self.peak * ops.ones_like(step)
        return ops.where(step < self.warmup, rise, after)

    def get_config(self):
        return {name: getattr(self, name) for name in ("kind", "peak", "steps", "warmup", "floor")}


def schedule(
    kind: str = "cosine", peak: float = 1e-3, steps: int = 1000, warmup: int = 0, floor: float = 0.0
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Build a learning-rate schedule by name.

    Args:
        kind: "cosine" (Keras's own CosineDecay), "constant", "linear" or "inverse_sqrt".
        peak: the largest rate, above 0.
        steps: optimizer steps of the whole training (batches x epochs), at least 1.
        warmup: steps of the straight rise at the start, at least 0 and below `steps`.
        floor: rate at the end of "cosine" and "linear", as a share of `peak`, 0 to 1.

    Raises:
        ZooValueError: if a value is out of its range or the name is unknown.
    """
    if kind not in KINDS:
        raise unknown("schedule", kind, KINDS)
    if not peak > 0:
        raise ZooValueError(f"peak must be above 0 (learning rate), got {peak}")
    if steps < 1:
        raise ZooValueError(f"steps must be at least 1 (optimizer steps), got {steps}")
    if not 0 <= warmup < steps:
        raise ZooValueError(f"warmup must be from 0 to steps - 1 = {steps - 1} (optimizer steps), got {warmup}")
    if not 0 <= floor <= 1:
        raise ZooValueError(f"floor must be from 0 to 1 (share of the peak), got {floor}")
    if kind != "cosine":
        return WarmUp(kind, peak, steps, warmup, floor)
    rise = {"warmup_target": float(peak), "warmup_steps": int(warmup)} if warmup else {}
    start = peak / (warmup + 1)  # a rate of 0 would waste the first step
    return keras.optimizers.schedules.CosineDecay(float(start), int(steps - warmup), alpha=float(floor), **rise)
