"""Random numbers within a loop over time, where a generator's state cannot be carried along."""

from collections.abc import Callable
from typing import Any

from keras import ops

# Draws of one step at most, from each generator.
DRAWS = 64


def reseed_steps(advance: Callable, inputs: Any, layer: Any) -> tuple[Callable, Any, Callable]:
    """Let each step of a loop draw from a seed of its own.

    A compiled loop runs the trace of one step many times, and what that trace leaves in a generator belongs to the
    loop alone. So each step sets the generators by its place, and after the loop they are set to what comes next.

    Args:
        advance: takes inputs [batch, n] and a state, as `run_steps` wants it.
        inputs: of all steps, [batch, time, n].
        layer: whose generators are drawn from in the loop.

    Returns:
        the function and the inputs to give to `run_steps` instead, and a function to call after the loop.
    """
    kept = {id(weight) for weight in layer.weights}
    seeds = [variable for variable in layer.variables if id(variable) not in kept]
    if not seeds:
        return advance, inputs, lambda: None
    before = [ops.copy(ops.convert_to_tensor(seed)) for seed in seeds]
    # Half precision has no numbers for places past 256.
    inputs, length = ops.cast(inputs, "float32"), ops.shape(inputs)[1]
    places = ops.zeros_like(inputs[:, :, :1]) + ops.reshape(ops.cast(ops.arange(length), "float32"), (1, -1, 1))

    def set_to(place: Any) -> None:
        counted = ops.cast(place, "int32") * DRAWS
        for seed, first in zip(seeds, before):
            seed.assign(first + ops.cast(ops.stack([ops.zeros_like(counted), counted]), first.dtype))

    def step(packed: Any, state: tuple) -> tuple[Any, tuple]:
        set_to(packed[0, -1])
        return advance(packed[:, :-1], state)

    return step, ops.concatenate([inputs, places], axis=-1), lambda: set_to(length)
