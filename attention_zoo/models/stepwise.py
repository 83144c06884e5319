"""Rules of attention where answers come step by step: they must do there what they do to a whole map."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks import StreamingEncoder, StreamingStep
from attention_zoo.blocks.token_decoder import TokenDecoder
from attention_zoo.calibrate.reweight import Reweighted, apart, sites_of
from attention_zoo.errors import ZooValueError

Sites = dict[str, tuple[str, int]]
PLACES = 8  # of the memory and the caches on which a step is tried


def check_steps(model: Reweighted) -> None:
    """Check that rules do in each step of a search or a stream what they do to all steps at once.

    Args:
        model: a network with its rules.

    Raises:
        ZooValueError: if a rule for a layer that goes step by step must know more than one row of a map, or no step
            makes its map.

    Cost: a trace of one step of each such layer.
    """
    for layer in apart(model)[0].layers:
        if isinstance(layer, TokenDecoder):
            _check(model, layer.name, sites_of(_OneStep(layer), _memory(layer)))
        if isinstance(layer, StreamingEncoder):
            step = StreamingStep(layer)
            _check(model, layer.name, sites_of(step, _described(step.probes(2)[0])))


def _check(model: Reweighted, part: str, met: Sites) -> None:
    """Check the rules within one layer, whose step makes maps at the sites that are `met`."""
    for site, rules in model.applied.items():
        if not site.startswith(f"{part}."):
            continue
        if met.get(site) != model.known[site]:
            raise ZooValueError(
                f"rules must be for maps that each step makes too, got one for {site!r}; a step makes those of "
                f"{list(met)}"
            )
        for one in rules:
            if not (one.by_row if model.known[site][0] == "mix" else one.by_value):
                raise ZooValueError(
                    f"rules for {site!r} must change each row of a map by itself, for it is made step by step; got "
                    f"{type(one).__name__}, which asks for the whole map"
                )


def _memory(decoder: TokenDecoder) -> Any:
    """Describe a memory that a decoder of a network can read."""
    memory = decoder.input[1]
    return keras.KerasTensor((1, PLACES, memory.shape[-1]), dtype=memory.dtype)


def _described(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: keras.KerasTensor(array.shape, dtype=array.dtype.name) for name, array in arrays.items()}


class _OneStep(keras.layers.Layer):
    """Read a memory by one step of a decoder."""

    def __init__(self, decoder: TokenDecoder):
        super().__init__(name="one_step")
        self.decoder = decoder
        self.built = True

    def call(self, memory: Any, training: bool | None = None) -> Any:
        prepared = self.decoder.prepare(memory, ops.ones_like(memory[:, :, 0], dtype="bool"))
        state = self.decoder.start(prepared, 1, PLACES)
        return self.decoder.step(ops.zeros((1,), dtype="int32"), state, prepared, 0, need_weights=True)[0]
