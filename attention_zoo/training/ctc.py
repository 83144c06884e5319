"""Connectionist temporal classification: the loss of units whose places in time nobody has marked."""

from typing import Any

import keras
from keras import ops

from attention_zoo.layers.alignment.stepping import run_steps

BLANK = 0
# Log-probability of what cannot be; infinity would turn to NaN in a difference.
FLOOR = -1e9
# A step at which every unit is less likely than e^-5000 is padding: nothing can be said there.
CERTAIN = -5e3


@keras.saving.register_keras_serializable("attention_zoo")
class CtcLoss(keras.losses.Loss):
    """Score all ways in which a row of units can lie along the steps: in order, held or followed by blanks.

    loss = - log sum over paths of product over t of p[t, path[t]],  p = softmax(logits)

    where the sum is over paths that give the units once repeats are joined and then blanks are dropped. Its gradient by
    the logits is p minus the expected share of each unit at each step; it is computed as that, by forward and backward
    variables that run through one loop in logarithms, normalised at each step.

    A target that needs more steps than there are (its units, and a blank between equal neighbours) has no path. A step
    where blank is certain, as a network says at padding, is no such step.

    Args:
        per_unit: whether to divide each row's loss by the number of its units, at least 1.
        zero_infinity: whether a target without a path counts 0; else its loss is infinite. It has no gradient
            either way.

    Call: truth [batch, target], unit numbers from 1, padded by 0; logits [batch, steps, vocabulary], finite, of which
        entry 0 is the blank. Padded steps have a logit of 0 at the blank and -1e4 at all others.
    Returns: the mean over the batch, in float32 whatever the policy.

    Cost: a loop over the steps, each of about 12 operations on 4 x batch x target numbers, without a tape; two products
        of matrices with steps x vocabulary x target multiplications a row. Measured beside `keras.ops.ctc_loss` (see
        benchmarks/ctc.py): of 32 rows of 200 steps and 60 units, loss and gradient take a 28th of its time on
        TensorFlow, as long on JAX, and two to three times as long on torch; the gradient is within 6e-6 of that in
        float64 for 150 steps, where Keras's is within 3e-4 on torch and 1e-4 on JAX. Keras's has other losses for a
        target without a path on each backend (709, 1e5, infinite with a gradient of NaN).
    Source: Graves et al. 2006, "Connectionist Temporal Classification", section 4, equations 5 to 16.
    """

    def __init__(self, per_unit: bool = False, zero_infinity: bool = True, name: str = "ctc_loss", **options: Any):
        super().__init__(name=name, **{"dtype": "float32", **options})
        self.per_unit, self.zero_infinity = bool(per_unit), bool(zero_infinity)

    def __call__(self, truth: Any, logits: Any, sample_weight: Any = None) -> Any:
        # A mask of steps that hangs on the logits would be taken for one of rows: what is made of them is without.
        logits = ops.squeeze(ops.expand_dims(logits, 0), 0)
        return super().__call__(truth, logits, sample_weight)

    def call(self, truth: Any, logits: Any) -> Any:
        truth = ops.cast(truth, "int32")
        losses, slopes, possible = _solved(truth, ops.stop_gradient(logits))
        # A product with the gradient has that gradient; its value is taken away again.
        drawn = ops.sum(ops.stop_gradient(slopes) * logits, axis=(1, 2))
        losses = ops.stop_gradient(losses) + drawn - ops.stop_gradient(drawn)
        losses = ops.where(possible, losses, 0.0 if self.zero_infinity else float("inf"))
        if self.per_unit:
            losses = losses / ops.maximum(ops.sum(ops.cast(ops.not_equal(truth, BLANK), "float32"), axis=1), 1.0)
        return losses

    def get_config(self) -> dict:
        return {**super().get_config(), "per_unit": self.per_unit, "zero_infinity": self.zero_infinity}


def _solved(truth: Any, logits: Any) -> tuple[Any, Any, Any]:
    """Return loss [batch], gradient [batch, steps, vocabulary], and bool [batch]: whether there is any path."""
    chances = ops.log_softmax(logits, axis=-1)
    hot = ops.one_hot(truth, logits.shape[-1], dtype="float32")
    units = ops.matmul(chances, ops.transpose(hot, (0, 2, 1)))
    states = _between(units, chances[..., :1] + ops.zeros_like(units))
    labels = _between(truth, ops.zeros_like(truth))
    before = ops.pad(labels, [(0, 0), (2, 0)])[:, :-2]
    # A state may follow the one before the last where both are units, and different ones.
    skips = ops.where(ops.logical_and(labels > 0, ops.not_equal(labels, before)), 0.0, FLOOR)
    count = ops.sum(ops.cast(truth > 0, "int32"), axis=1, keepdims=True)
    place = ops.expand_dims(ops.cumsum(ops.ones_like(labels[0])) - 1, 0)
    last = ops.equal(place, 2 * count)
    forward, backward = _both_ways(states, skips, ops.equal(place, 0), last)

    ends = ops.logical_or(last, ops.equal(place, 2 * count - 1))
    scales = ops.max(forward, axis=-1)[:, :-1]
    losses = -ops.logsumexp(ops.where(ends, forward[:, -1], FLOOR), axis=-1) - ops.sum(scales, axis=1)
    shares = ops.softmax(forward + backward - states, axis=-1)
    expected = ops.matmul(shares[..., 1::2], hot)
    blanks = ops.sum(shares[..., ::2], axis=-1, keepdims=True)
    expected = ops.concatenate([expected[..., :1] + blanks, expected[..., 1:]], axis=-1)
    possible = _possible(truth, chances)
    slopes = ops.where(ops.reshape(possible, (-1, 1, 1)), ops.exp(chances) - expected, 0.0)
    return losses, slopes, possible


def _both_ways(states: Any, skips: Any, first: Any, last: Any) -> tuple[Any, Any]:
    """Run through the steps from both ends at once.

    Args:
        states: float32 [batch, steps, states], log-probability of each state's unit.
        skips: float32 [batch, states], 0 where a state may follow the one before the last.
        first: bool [1, states], where all begins.
        last: bool [batch, states], the last blank of each row.

    Returns:
        two of float32 [batch, steps, states]: log-probabilities of all that led, and leads, to each state at each step,
        that step among it, each step but for a number of its own.
    """
    batch = ops.shape(states)[0]
    back = ops.flip(ops.concatenate([skips[:, 2:], ops.zeros_like(skips[:, :2]) + FLOOR], axis=1), axis=1)
    skips = ops.concatenate([skips, back], axis=0)
    begin = ops.concatenate([ops.logical_or(first, ops.zeros_like(last)), ops.flip(last, axis=1)], axis=0)
    nothing = ops.zeros_like(skips[:, :2]) + FLOOR

    def advance(here: Any, state: tuple) -> tuple[Any, tuple]:
        wide = ops.concatenate([nothing, state[0]], axis=1)
        stay, step, skip = wide[:, 2:], wide[:, 1:-1], wide[:, :-2] + skips
        most = ops.maximum(ops.maximum(stay, step), skip)
        total = ops.exp(stay - most) + ops.exp(step - most) + ops.exp(skip - most)
        reached = here + most + ops.log(total)
        return reached, (reached - ops.max(reached, axis=1, keepdims=True),)

    inputs = ops.concatenate([states, ops.flip(states, axis=(1, 2))], axis=0)
    found, _ = run_steps(advance, inputs, (ops.where(begin, 0.0, FLOOR),))
    return found[:batch], ops.flip(found[batch:], axis=(1, 2))


def _between(units: Any, blanks: Any) -> Any:
    """Put blanks around and between units, along the last axis: u of them become 2 u + 1."""
    pairs = ops.stack([blanks, units], axis=-1)
    joined = ops.reshape(pairs, (*ops.shape(units)[:-1], 2 * ops.shape(units)[-1]))
    return ops.concatenate([joined, blanks[..., :1]], axis=-1)


def _possible(truth: Any, chances: Any) -> Any:
    """Say which targets have a path: bool [batch]."""
    equal = ops.logical_and(ops.equal(truth[:, 1:], truth[:, :-1]), truth[:, 1:] > 0)
    needed = ops.sum(ops.cast(truth > 0, "int32"), axis=1) + ops.sum(ops.cast(equal, "int32"), axis=1)
    open_steps = ops.max(chances[..., 1:], axis=-1) > CERTAIN
    return needed <= ops.sum(ops.cast(open_steps, "int32"), axis=1)
