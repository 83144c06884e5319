"""A stack of decoder blocks between two uses of one table of tokens."""

import inspect
from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.decoder import DecoderBlock
from attention_zoo.blocks.embeddings import PAD_ID
from attention_zoo.blocks.sublayers import EPSILON
from attention_zoo.blocks.token_decoder import TokenDecoder
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.layers.incremental import cast_weights


@keras.saving.register_keras_serializable(package="attention_zoo")
class TransformerDecoder(TokenDecoder):
    """Write a text token by token, looking at a memory: embeddings, decoder blocks, a last norm, logits.

    Args:
        depth: blocks.
        vocabulary_size: number of different ids.
        width: channels of the embeddings and of the blocks.
        block: arguments of `DecoderBlock` by name, "num_heads" and "feed_forward" at least. A layer among them is
            copied for each block; "stochastic_depth" is that of the last block, and grows linearly up to it.
        position: absolute position of the embeddings: "sinusoidal", "learned" or "none".
        dropout: share dropped while training of the embeddings, and in the blocks if they say no other, 0 to 1.
        tie: True makes logits by the embeddings' table, False by one of their own; neither has a bias.
        embedding: a `TiedEmbedding` that others use too, in place of an own one; it has its own position.

    Call:
        see `TokenDecoder`. Padding is seen by nobody.

    Returns:
        float32 [batch, target, vocabulary].

    Raises:
        ZooValueError: as `TokenDecoder` and `DecoderBlock`; if an argument of the blocks is unknown or missing.

    Cost: a step takes time rows x width x (depth x (length + source + width + feed_forward) + vocabulary).
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.1. Differs: the norm comes first where the blocks say so.
    """

    def __init__(
        self,
        depth: int,
        vocabulary_size: int,
        width: int,
        block: dict[str, Any],
        position: Any = "sinusoidal",
        dropout: float = 0.0,
        tie: bool = True,
        embedding: Any = None,
        **kwargs: Any,
    ):
        super().__init__(vocabulary_size, width, position, dropout, tie, embedding, **kwargs)
        self.depth = whole_number("depth", depth, unit="blocks")
        self.block = with_plain_layers(block)
        _check_arguments(self.block)
        policy = self.dtype_policy
        self.blocks = [
            DecoderBlock(**self._arguments(number), name=f"block_{number}", dtype=policy)
            for number in range(1, depth + 1)
        ]
        self.norm = None
        if self.blocks[-1].norm == "pre":
            self.norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="norm", dtype=policy)

    def _arguments(self, number: int) -> dict[str, Any]:
        """Return the arguments of one block."""
        arguments = {"dropout": self.dropout, **self.block}
        return {**arguments, "stochastic_depth": self.block.get("stochastic_depth", 0.0) * number / self.depth}

    def get_config(self) -> dict:
        position = keras.saving.serialize_keras_object(self.embedding.position)
        return {**super().get_config(), "depth": self.depth, "block": self.block, "position": position}

    def build(self, target_ids_shape: Any, memory_shape: Any) -> None:
        self.build_ends()
        shape = (*target_ids_shape, self.width)
        for block in self.blocks:
            block.build(shape, memory_shape)
        if self.norm is not None:
            self.norm.build(shape)
        self.growing = tuple(
            f"self_{number}_{name}" for number, block in enumerate(self.blocks, 1) for name in block.growing
        )

    def call(self, target_ids: Any, memory: Any, memory_mask: Any = None, training: bool | None = None) -> Any:
        mask = ops.not_equal(target_ids, PAD_ID)
        current = self.embed(target_ids, training=training)
        for block in self.blocks:
            current = block(current, memory, mask=mask, memory_mask=memory_mask, training=training)
        return self.logits(current if self.norm is None else self.norm(current))

    def prepare(self, memory: Any, memory_mask: Any = None) -> dict[str, Any]:
        prepared = {} if memory_mask is None else {"mask": ops.cast(memory_mask, "bool")}
        for number, block in enumerate(self.blocks, 1):
            prepared |= _marked(block.prepare(memory), f"cross_{number}_")
        return prepared

    def start(self, prepared: dict[str, Any], rows: Any, length: int) -> dict[str, Any]:
        state = {}
        for number, block in enumerate(self.blocks, 1):
            state |= _marked(block.start(rows, length), f"self_{number}_")
        return state

    @cast_weights
    def step(
        self, token_ids: Any, state: dict[str, Any], prepared: dict[str, Any], index: Any, need_weights: bool = False
    ) -> tuple[Any, dict[str, Any], Any]:
        index = index if isinstance(index, int) else ops.cast(index, "int32")
        current = self.embed(ops.expand_dims(token_ids, 1), index, training=False)
        after, weights = {}, None
        for number, block in enumerate(self.blocks, 1):
            memory = _unmarked(prepared, f"cross_{number}_")
            if "mask" in prepared:
                memory["mask"] = prepared["mask"]
            kept = _unmarked(state, f"self_{number}_")
            current, kept, weights = block.step(current, kept, memory, index, need_weights and number == self.depth)
            after |= _marked(kept, f"self_{number}_")
        current = ops.squeeze(current if self.norm is None else self.norm(current), 1)
        return self.logits(current), after, weights


def _check_arguments(block: dict[str, Any]) -> None:
    """Check the names of the arguments of a block."""
    known = [name for name in inspect.signature(DecoderBlock.__init__).parameters if name not in ("self", "kwargs")]
    for name in block:
        if name not in known:
            raise unknown("argument of block", name, known)
    missing = [name for name in ("num_heads", "feed_forward") if name not in block]
    if missing:
        raise ZooValueError(f"block must have num_heads and feed_forward, got none of {', '.join(missing)}")


def _marked(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _unmarked(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
