"""The graphs of what generates: one encodes a source, the other says what comes next; the loop is the runtime's.

"encoder": source_ids [batch, source], or whatever else the network reads beside target_ids
    -> "prepared.<name>" [batch, ...]: what the decoder reads of the source at each step
    -> "state.<name>" [batch, ...]: the decoder's state before the first token, without caches
    -> further outputs of the network that do not come from the decoder, and the mask of the source where it is a layer
"step": token_ids [rows], index [1], "state.<name>" [rows, ...], "prepared.<name>" [batch, ...]
    -> "values", "ids" [rows, candidates]: log-probabilities and ids of the likeliest tokens
    -> "logits" [rows, vocabulary], for sampling
    -> "weights" [rows, source], where the decoder gives any
    -> "new.<name>": of a cache the entry of this step [rows, 1, ...], of other state what replaces it [rows, ...]

Rows are batch x beams, those of one source next to each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.calibrate.capture import untrained
from attention_zoo.calibrate.reweight import apart
from attention_zoo.errors import ZooTypeError, unknown
from attention_zoo.export.request import Graph
from attention_zoo.export.signature import describe, run_model
from attention_zoo.search import PAD_ID, Decoding, choose

CANDIDATES = 16  # likeliest tokens of a row; a search takes one more than it has beams
BANNED = Decoding().banned
ENCODER, STEP = "encoder", "step"
PROBE_BEAMS, PROBE_LENGTHS, PROBE_INDICES = (3, 1, 2), (5, 9, 4), (3, 8, 0)


class _OfNetwork(keras.Model):
    """Base of graphs that are parts of a network which was trained as one; they share its layers.

    Args:
        network: functional, from {"source_ids", "target_ids"} to logits.
        decoder: name of the layer that has `prepare`, `start`, `growing` and `step`.
    """

    def __init__(self, network: keras.Model, decoder: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.network, self.decoder_name = network, decoder
        self.decoder = _layer(network, decoder)
        if not all(hasattr(self.decoder, name) for name in ("prepare", "start", "growing", "step")):
            raise ZooTypeError(f"layer {decoder!r} must be a decoder, got {type(self.decoder).__name__}")
        self.built = True

    def get_config(self) -> dict:
        return {**super().get_config(), "network": untrained(self.network), "decoder": self.decoder_name}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})


@keras.saving.register_keras_serializable(package="attention_zoo")
class EncoderGraph(_OfNetwork):
    """Encode a source, and prepare all that a decoder reads of it.

    Args:
        network: functional, from {"source_ids", "target_ids"} to logits; or from other inputs beside "target_ids".
        decoder: name of the decoder's layer.
        memory: name of the layer whose output [batch, source, width] the decoder reads.
        mask: name of the layer that tells real places of the memory, bool [batch, source]; None where that is what is
            not 0 in "source_ids".
        told: further layers whose outputs are told, by name of the output.

    Call:
        inputs: those of the network but "target_ids", by name; where that is one, it alone or by name.

    Returns:
        {"prepared.<name>", "state.<name>", what is told}, each [batch, ...]; and "memory_mask" where it is a layer.

    Raises:
        ZooValueError: if the network has no such layer or input.
        ZooTypeError: if the layer is no decoder.
    """

    def __init__(
        self,
        network: keras.Model,
        decoder: str = "decoder",
        memory: str = "memory",
        mask: str | None = None,
        told: Mapping[str, str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(network, decoder, **kwargs)
        inputs = {tensor.name: tensor for tensor in network.inputs if tensor.name != "target_ids"}
        if mask is None and "source_ids" not in inputs:
            raise unknown("input", "source_ids", inputs)
        self.memory_name, self.mask_name, self.told = memory, mask, dict(told or {})
        layers = {"memory": memory, **({} if mask is None else {"memory_mask": mask}), **self.told}
        outputs = {name: _layer(network, layer).output for name, layer in layers.items()}
        self.single = next(iter(inputs)) if len(inputs) == 1 else None
        self.encode = keras.Model(inputs, outputs)

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        inputs = inputs if isinstance(inputs, Mapping) else {self.single: inputs}
        told = self.encode(inputs, training=False)
        memory = told.pop("memory")
        mask = told["memory_mask"] if self.mask_name else ops.not_equal(inputs["source_ids"], PAD_ID)
        prepared = self.decoder.prepare(memory, mask)
        state = self.decoder.start(prepared, ops.shape(memory)[0], 1)
        first = {name: value for name, value in state.items() if name not in self.decoder.growing}
        return {**_marked("prepared", prepared), **_marked("state", first), **told}

    def get_config(self) -> dict:
        return {**super().get_config(), "memory": self.memory_name, "mask": self.mask_name, "told": self.told}


@keras.saving.register_keras_serializable(package="attention_zoo")
class StepGraph(_OfNetwork):
    """Say what comes after one more token of each row.

    Args:
        network: functional, from {"source_ids", "target_ids"} to logits.
        decoder: name of the decoder's layer.
        banned: ids that are never among the candidates.

    Call:
        inputs: {"token_ids": int32 [rows]; "index": int32 [1], the place of the tokens, of one axis because each input
            of an exported graph has one that is open; "state.<name>" [rows, ...], of a cache [rows, length, ...];
            "prepared.<name>" [batch, ...]}.

    Returns:
        {"values": float32 [rows, candidates], log-probabilities among all tokens, largest first; "ids": int32, the
        tokens; "logits": float32 [rows, vocabulary]; "weights": float32 [rows, source] where the decoder gives any;
        "new.<name>": of a cache the new entry [rows, 1, ...], else the state that replaces the old one}.

    Raises:
        ZooValueError: if the network has no such layer.
        ZooTypeError: if it is no decoder.

    Cost: a step of the decoder, and a partial sort of the logits. Whole caches are read, never handed back.
    """

    def __init__(self, network: keras.Model, decoder: str = "decoder", banned: Sequence[int] = BANNED, **kwargs: Any):
        super().__init__(network, decoder, **kwargs)
        self.banned = tuple(banned)
        # What is banned is no candidate, where there are few others.
        self.candidates = min(CANDIDATES, self.decoder.output.shape[-1] - len(self.banned))

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        index = ops.reshape(inputs["index"], ())
        state, prepared = _unmarked("state", inputs), _unmarked("prepared", inputs)
        logits, state, weights = self.decoder.step(inputs["token_ids"], state, prepared, index, need_weights=True)
        values, ids = choose(ops, Decoding(beam=max(self.candidates - 1, 1), banned=self.banned), logits)
        told = {"values": values, "ids": ids, "logits": logits}
        if weights is not None:
            told["weights"] = weights
        for name in self.decoder.growing:
            state = {**state, name: ops.take(state[name], inputs["index"], axis=1)}
        return {**told, **_marked("new", state)}

    def get_config(self) -> dict:
        return {**super().get_config(), "banned": list(self.banned)}


def generating_graphs(
    network: keras.Model,
    probes: Sequence[Mapping[str, np.ndarray]],
    *,
    decoder: str = "decoder",
    memory: str = "memory",
    mask: str | None = None,
    told: Mapping[str, str] | None = None,
    banned: Sequence[int] = BANNED,
) -> dict[str, Graph]:
    """Return the graphs by which the runtime generates, with probes for both.

    Args:
        network: as for `EncoderGraph`; or one with rules of attention (`calibrate.reweight`), which both graphs keep.
        probes: at least two inputs of the encoder, of different batch and length.
        decoder: name of the decoder's layer.
        memory: name of the layer whose output the decoder reads.
        mask, told: as for `EncoderGraph`.
        banned: ids that are never said.

    Raises:
        ZooValueError: if the network has no such layer or input, or the probes are too alike.
        ZooTypeError: if the layer is no decoder.

    Cost: one pass of the encoder over each probe.
    """
    network, ruled = apart(network)
    encoder, step = EncoderGraph(network, decoder, memory, mask, told), StepGraph(network, decoder, banned)
    wanted = encoder.encode.input
    probes = [{name: probe[name] for name in wanted} for probe in probes]
    signature = describe(encoder, probes, identifiers=False)
    encoded = [_wide(run_model(encoder, signature, probe)) for probe in probes]
    steps = [_step_probe(step, probe, number) for number, probe in enumerate(encoded)]
    return {ENCODER: Graph(ruled(encoder), probes, ("onnx",), watched=True), STEP: Graph(ruled(step), steps, ("onnx",))}


def _step_probe(step: StepGraph, encoded: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    """Return inputs of one step: so many beams, caches of random numbers, a place within them."""
    turn = number % len(PROBE_BEAMS)
    beams, length, index = PROBE_BEAMS[turn], PROBE_LENGTHS[turn], PROBE_INDICES[turn]
    prepared = {name: array for name, array in encoded.items() if name.startswith("prepared.")}
    rows = beams * len(next(iter(prepared.values())))
    state = {name: array.repeat(beams, 0) for name, array in encoded.items() if name.startswith("state.")}
    generator = np.random.default_rng(number)
    tensors = {name: ops.convert_to_tensor(array) for name, array in _unmarked("prepared", prepared).items()}
    for name, value in step.decoder.start(tensors, rows, length).items():
        if name in step.decoder.growing:
            state[f"state.{name}"] = generator.normal(size=tuple(value.shape)).astype("float32")
    token_ids = generator.integers(0, step.decoder.output.shape[-1], rows, "int32")
    return {"token_ids": token_ids, "index": np.array([index], "int32"), **state, **prepared}


def _wide(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return numbers of half precision as those of the float32 twin that is exported."""
    return {name: array if array.dtype.kind in "biu" else array.astype("float32") for name, array in arrays.items()}


def _layer(network: keras.Model, name: str) -> keras.layers.Layer:
    for layer in network.layers:
        if layer.name == name:
            return layer
    raise unknown("layer", name, [layer.name for layer in network.layers])


def _marked(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{kind}.{name}": value for name, value in values.items()}


def _unmarked(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(f"{kind}."): value for name, value in values.items() if name.startswith(f"{kind}.")}
