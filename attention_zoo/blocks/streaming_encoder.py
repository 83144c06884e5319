"""An encoder of speech that answers while somebody speaks, and gives what it gives to the whole."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.blocks.convolution import hide
from attention_zoo.blocks.speech_encoder import ConformerEncoder
from attention_zoo.blocks.subsampling import FACTOR, frame_mask, reduced
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooError, ZooTypeError, ZooValueError
from attention_zoo.layers import named
from attention_zoo.layers.incremental import cast_weights
from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.series import StreamingAttention

# Arguments of an attention that say who may see whom; here the chunks say that.
_PATTERNS = ("pattern", "sliding_window", "attention_axes", "chunk", "left", "right")


def in_chunks(attention: Any, chunk: int, left: int) -> dict[str, Any]:
    """Return the attention that sees its own chunk and some before it, and is otherwise as told.

    Args:
        attention: a name of `layers.names("self")`, or a dict with "name" and arguments.
        chunk: steps in a chunk.
        left: chunks before its own that a step sees.

    Returns:
        a dict for variant "chunked".

    Raises:
        ZooValueError: if this attention cannot be read with a bounded past; the sentence names those that can.
        ZooTypeError: if it is neither name nor dict.
    """
    own = {"name": attention} if isinstance(attention, str) else attention
    if not isinstance(own, Mapping) or not isinstance(own.get("name"), str):
        raise ZooTypeError(f"attention of a stream must be a name or a dict with 'name', got {attention!r}")
    row = named.info(own["name"])
    settings = {**row.settings, **{name: value for name, value in own.items() if name != "name"}}
    told = [name for name in _PATTERNS if name in settings]
    made = {"name": "chunked", **settings, "chunk": chunk, "left": left, "right": 0}
    if row.layer in (MultiHeadAttention, StreamingAttention) and not told:
        named.get(made, role="self", num_heads=2, key_dim=4)  # refuses what counts from the start of a stream
        return made
    reason = f"has {told[0]!r} of its own" if told else "does not keep a past that is bounded"
    known = [name for name in named.names("self") if name != own["name"] and _goes_in_chunks(name)]
    raise ZooValueError(f"attention {own['name']!r} cannot go chunk by chunk: it {reason}; {', '.join(known)} can")


def _goes_in_chunks(name: str) -> bool:
    row = named.info(name)
    if row.layer not in (MultiHeadAttention, StreamingAttention) or any(key in row.settings for key in _PATTERNS):
        return False
    try:
        in_chunks(name, 1, 1)
    except ZooError:
        return False
    return True


@keras.saving.register_keras_serializable(package="attention_zoo")
class StreamingEncoder(ConformerEncoder):
    """Read speech by chunks: each step sees its own chunk and `left` before it, and convolutions look back only.

    `call` reads whole sounds, for training. `step` reads them chunk by chunk, by the same weights, and gives the same
    numbers:

        state = encoder.start(batch)
        memory, state = encoder.step(features, state)        # 4 x chunk frames each time
        memory, state = encoder.step(last, state, frames)    # padded; frames says how many are real

    What a stream remembers has one size from the start, so that a step compiles once. Deeper blocks see farther back:
    `depth` x `left` chunks.

    Args:
        depth: blocks.
        width: channels of a step.
        num_heads: heads of the attention, a divisor of `width`.
        chunk: steps in a chunk, at least 1.
        left: whole chunks before its own that a step sees, at least 1.
        attention: a name of `layers.names("self")` or a dict with "name" and arguments: any that `MultiHeadAttention`
            computes and that looks at distance alone. "rotary" is fastest.
        hop: seconds from one frame to the next, for `latency`.
        **kwargs: as for `ConformerEncoder`; `kernel_size` is at least 3.

    Call:
        see `ConformerEncoder`.

    Returns:
        [batch, ceil(frames / 4), width]; zero at padding.

    Raises:
        ZooValueError: as `ConformerEncoder`, or if this attention cannot be read with a bounded past.
        ZooTypeError: if attention is neither name nor dict.

    Cost: of a step that of `depth` blocks over `chunk` steps, of which each sees (left + 1) x chunk.
    Source: Zhang et al. 2020, arXiv:2012.05481 (chunks, convolutions that look back); Gulati et al. 2020,
    arXiv:2005.08100. Differs: chunks of one size, and a past that is bounded.
    """

    causal = True

    def __init__(
        self,
        depth: int,
        width: int,
        num_heads: int,
        chunk: int = 16,
        left: int = 4,
        attention: Any = "rotary",
        hop: float = 0.01,
        **kwargs: Any,
    ):
        whole_number("chunk", chunk, unit="steps")
        whole_number("left", left, unit="chunks")
        super().__init__(depth, width, num_heads, attention=in_chunks(attention, chunk, left), **kwargs)
        whole_number("kernel_size", self.kernel_size, 3, "steps")
        if not hop > 0:
            raise ZooValueError(f"hop must be above 0 (seconds), got {hop!r}")
        self.chunk, self.left, self.hop, self.attention = chunk, left, hop, attention

    @property
    def frames(self) -> int:
        """Frames in a chunk."""
        return FACTOR * self.chunk

    @property
    def latency(self) -> float:
        """Seconds that the first sound of a chunk waits for the chunk's end: the longest wait, without computing."""
        return self.frames * self.hop

    def get_config(self) -> dict:
        return {**super().get_config(), "chunk": self.chunk, "left": self.left, "hop": self.hop}

    def start(self, batch: Any) -> dict[str, Any]:
        """Return the state of `batch` sounds of which nothing has been read.

        Args:
            batch: sounds; may be a tensor.

        Returns:
            "frame_1", "frame_2" [batch, 1, ...], the end of what each convolution in front has read; "key", "value"
            [batch, depth, left x chunk, group, channel]; "gated" [batch, depth, kernel_size - 1, width]; and "steps",
            int32 [batch], how many steps have been read.

        Raises:
            ZooValueError: if the encoder is not built.
        """
        if not self.built:
            raise ZooValueError(f"a stream wants a built encoder, got {self.name!r} without weights")
        states = [block.start_stream(batch) for block in self.blocks]
        kept = {name: ops.stack([state[name] for state in states], axis=1) for name in ("key", "value", "gated")}
        return {**self.subsampling.start_stream(batch), **kept, "steps": ops.zeros((batch,), dtype="int32")}

    @cast_weights
    def step(self, features: Any, state: dict[str, Any], frames: Any = None) -> tuple[Any, dict[str, Any]]:
        """Read one chunk.

        Args:
            features: [batch, 4 x chunk, mels].
            state: from `start` or the step before.
            frames: int [batch], how many frames of each sound are real; None is all. Only its last chunk may have
                fewer than all, and chunks after it have none.

        Returns:
            [batch, chunk, width], zero at padding, and the state for the next chunk.
        """
        features, kept = ops.cast(features, self.compute_dtype), {**state}
        steps, before = kept.pop("steps"), self.left * self.chunk
        kept = {name: ops.cast(value, self.compute_dtype) for name, value in kept.items()}
        frames = ops.full_like(steps, self.frames) if frames is None else ops.cast(frames, "int32")
        current, after = self.subsampling.stream(features, frames, kept)
        fresh = reduced(frames, FACTOR)
        mask = frame_mask(fresh, self.chunk)
        # What was read lies at the end of what is kept.
        present = ops.expand_dims(ops.arange(before), 0) >= before - ops.expand_dims(steps, 1)
        states = []
        for number, block in enumerate(self.blocks):
            own = {name: kept[name][:, number] for name in ("key", "value", "gated")}
            current, own = block.stream(current, {**own, "present": present}, mask)
            states.append(own)
        after |= {name: ops.stack([own[name] for own in states], axis=1) for name in ("key", "value", "gated")}
        return hide(current, mask), {**after, "steps": steps + fresh}


@keras.saving.register_keras_serializable(package="attention_zoo")
class StreamingStep(keras.Model):
    """One step of a stream as a model, to be compiled once and exported; tensors go in and out by name.

        step = StreamingStep(encoder)
        state = step.start(batch)
        told = step.predict_on_batch({"features": features, "frames": frames, **state})
        state = step.carry(told)                             # for the next chunk

    Args:
        encoder: a built `StreamingEncoder`.
        heads: built layers by name, each called with the memory and `mask=`, whose results are told too.

    Call:
        inputs: {"features": [batch, 4 x chunk, mels], "frames": int32 [batch], "state_<name>": [batch, ...]}.

    Returns:
        {"memory": [batch, chunk, width], "<head>": [batch, chunk, ...], "new_<name>": [batch, ...]}.

    Raises:
        ZooTypeError: if the encoder is none.
        ZooValueError: if the encoder is not built.
    """

    def __init__(self, encoder: StreamingEncoder, heads: Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(encoder, StreamingEncoder):
            raise ZooTypeError(f"encoder must be a StreamingEncoder, got {type(encoder).__name__}")
        if not encoder.built:
            raise ZooValueError(f"encoder must be built, got {encoder.name!r} without weights")
        self.encoder, self.heads = encoder, dict(heads or {})
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        state = {name.removeprefix("state_"): value for name, value in inputs.items() if name.startswith("state_")}
        memory, state = self.encoder.step(inputs["features"], state, inputs["frames"])
        mask = frame_mask(reduced(inputs["frames"], FACTOR), self.encoder.chunk)
        told = {name: head(memory, mask=mask) for name, head in self.heads.items()}
        return {"memory": memory, **told, **{f"new_{name}": value for name, value in state.items()}}

    def start(self, batch: int) -> dict[str, np.ndarray]:
        """Return the inputs "state_<name>" of `batch` sounds of which nothing has been read, as arrays."""
        return {f"state_{name}": ops.convert_to_numpy(value) for name, value in self.encoder.start(batch).items()}

    def carry(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs "state_<name>" of the next step, from what a step told."""
        return {name.replace("new_", "state_", 1): value for name, value in told.items() if name.startswith("new_")}

    def probes(self, *batches: int) -> list[dict[str, np.ndarray]]:
        """Return inputs for each batch, by which an export can be compared with this model.

        The state is random, and says that less has been read than there is room for.
        """
        found = []
        for batch in batches or (2, 3):
            generator, state = np.random.default_rng(batch), self.start(batch)
            probe = {"features": np.zeros((batch, self.encoder.frames, self.encoder.subsampling.mels), "float32")}
            probe |= {name: value for name, value in state.items() if name != "state_steps"}
            probe = {name: generator.normal(size=value.shape).astype("float32") for name, value in probe.items()}
            steps = generator.integers(0, self.encoder.left * self.encoder.chunk, batch).astype("int32")
            frames = generator.integers(1, self.encoder.frames + 1, batch).astype("int32")
            found.append({**probe, "frames": frames, "state_steps": steps})
        return found

    def get_config(self) -> dict:
        heads = {name: keras.saving.serialize_keras_object(head) for name, head in self.heads.items()}
        return {**super().get_config(), "encoder": keras.saving.serialize_keras_object(self.encoder), "heads": heads}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "StreamingStep":
        def read(value: Any) -> Any:
            return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

        heads = {name: read(head) for name, head in config["heads"].items()}
        return cls(**{**config, "encoder": read(config["encoder"]), "heads": heads})
