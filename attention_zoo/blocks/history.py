"""What a user chose, in order, as a state after each item: by attention, or by a recurrent layer and attention."""

import inspect
from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.encoder import EPSILON, EncoderBlock
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.layers import named

SPREAD = 0.02  # standard deviation of new vectors
# Attentions whose places count from the left, where histories are padded: the same history would mean something else
# in a wider batch.
FROM_THE_LEFT = (
    "sinusoidal", "learned_position", "relative_table", "continuous_bias", "rotary_2d", "fourier", "longformer",
    "synthesizer_dense", "synthesizer_random", "aft_full", "aft_local", "memory_compressed",
)  # fmt: skip


@keras.saving.register_keras_serializable(package="attention_zoo")
class HistoryPosition(keras.layers.Layer):
    """Mark how long ago each item was chosen, counted back from the last place.

    output[t] = inputs[t] + table[steps - 1 - t]

    Histories lie at the right, so padding at their left changes no place.

    Args:
        length: places that have a vector of their own; what lies before them has that of the first.

    Call:
        inputs: [batch, steps, width].

    Returns:
        [batch, steps, width].

    Raises:
        ZooValueError: if length is under 1.
    """

    def __init__(self, length: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.length = whole_number("length", length, unit="places")

    def get_config(self) -> dict:
        return {**super().get_config(), "length": self.length}

    def build(self, input_shape: Any) -> None:
        new = keras.initializers.RandomNormal(stddev=SPREAD)
        self.table = self.add_weight(shape=(self.length, input_shape[-1]), initializer=new, name="table")

    def call(self, inputs: Any) -> Any:
        ago = ops.minimum(ops.shape(inputs)[1] - 1 - ops.arange(ops.shape(inputs)[1]), self.length - 1)
        return inputs + ops.cast(ops.expand_dims(ops.take(self.table, ago, axis=0), 0), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class HistoryBlock(EncoderBlock):
    """An encoder block that may be made causal, whatever its attention.

    Args:
        causal: True lets a place see itself and earlier ones only.
        *arguments, **options: as for `EncoderBlock`.

    Raises:
        ZooValueError: as `EncoderBlock`; and if `causal`, and the attention cannot be made so.
    """

    def __init__(self, *arguments: Any, causal: bool = True, **options: Any):
        super().__init__(*arguments, **options)
        self.causal = bool(causal)

    def get_config(self) -> dict:
        return {**super().get_config(), "causal": self.causal}

    def build(self, input_shape: Any) -> None:
        check_places(self.attention)
        super().build(input_shape)
        self.hiding = check_causal(self.attending, self.attention) if self.causal else {}

    def _run(self, name: str, read: Any, mask: Any, training: bool | None) -> Any:
        if name == "attention":
            return self.attending(read, query_mask=mask, training=training, **self.hiding)
        return super()._run(name, read, mask, training)


def check_places(chosen: Any) -> None:
    """Check that an attention may read histories, which are padded at the left.

    Args:
        chosen: a name of `layers.names("self")`, a dict with "name", or a layer.

    Raises:
        ZooValueError: if its places count from the left.
    """
    name = chosen.get("name") if isinstance(chosen, dict) else chosen
    if isinstance(name, str) and name in FROM_THE_LEFT:
        raise ZooValueError(f"attention must not count places from the left, where histories are padded, got {name!r}")


def check_causal(layer: keras.layers.Layer, chosen: Any) -> dict[str, bool]:
    """Return what an attention must be told to see nothing that comes later.

    Args:
        layer: the attention.
        chosen: as the user named it, for the sentence.

    Raises:
        ZooValueError: if it cannot be told.
    """
    if "use_causal_mask" in inspect.signature(layer.call).parameters:
        return {"use_causal_mask": True}
    raise ZooValueError(f"attention must be one that can be made causal, got {chosen!r}")


@keras.saving.register_keras_serializable(package="attention_zoo")
class TransformerHistory(keras.layers.Layer):
    """Let the items of a history read each other: a state for each place.

    Args:
        depth: blocks.
        num_heads: heads of each attention.
        feed_forward: channels in between of the feed-forward parts.
        attention: a name of `layers.names("self")`, a dict with "name" and arguments.
        causal: True lets a place see itself and earlier ones only, so that all places can be trained at once.
        length: places with a vector of their own, counted back from the last; 0 for none (where the attention knows
            places).
        dropout: share dropped while training, of the vectors, after each part and within feed-forward.
        attention_dropout: share of the attention weights dropped while training.
        kind: of the feed-forward parts, see `FeedForward`.
        norm: "pre" or "post".

    Call:
        inputs: [batch, steps, width], vectors of items, the newest last.
        mask: bool [batch, steps]; False marks padding.

    Returns:
        [batch, steps, width], normalised.

    Raises:
        ZooValueError: if a number is out of range, a name is unknown, or the attention cannot be made causal.

    Source: Kang, McAuley 2018, arXiv:1808.09781 (causal); Sun et al. 2019, arXiv:1904.06690 (both ways). Differs:
    places are counted back from the newest item, and one more norm stands at the end.
    """

    def __init__(
        self,
        depth: int,
        num_heads: int,
        feed_forward: int,
        attention: Any = "multi_head",
        causal: bool = True,
        length: int = 0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        kind: str = "gelu",
        norm: str = "pre",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.depth, self.length = whole_number("depth", depth, unit="blocks"), whole_number("length", length, 0)
        self.num_heads, self.feed_forward, self.attention, self.causal = num_heads, feed_forward, attention, causal
        self.dropout, self.attention_dropout, self.kind, self.norm = dropout, attention_dropout, kind, norm

    def get_config(self) -> dict:
        names = ("depth", "num_heads", "feed_forward", "attention", "causal", "length", "dropout")
        names += ("attention_dropout", "kind", "norm")
        return with_plain_layers({**super().get_config(), **{name: getattr(self, name) for name in names}})

    def build(self, input_shape: Any) -> None:
        policy, shape = {"dtype": self.dtype_policy}, (None, None, input_shape[-1])
        self.position = HistoryPosition(self.length, name="position", **policy) if self.length else None
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)
        options = {"dropout": self.dropout, "attention_dropout": self.attention_dropout, "kind": self.kind}
        self.blocks = [
            HistoryBlock(
                self.num_heads, self.feed_forward, self.attention, norm=self.norm, causal=self.causal,
                name=f"block_{number}", **options, **policy,
            )
            for number in range(1, self.depth + 1)
        ]  # fmt: skip
        self.last_norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="last_norm", **policy)
        for layer in (*([self.position] if self.position else []), *self.blocks, self.last_norm):
            layer.build(shape)
        self.last_norm.supports_masking = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        current = inputs if self.position is None else self.position(inputs)
        current = self.dropping(current, training=training)
        for block in self.blocks:
            current = block(current, mask=mask, training=training)
        return self.last_norm(current)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Pass no mask on: states are asked where there is an item."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class RecurrentHistory(keras.layers.Layer):
    """Read a history item by item, and let each state look back at those before it.

    h = GRU(inputs), c_t = sum over k <= t of attention(h_t, h_k) h_k, output = norm(W [h_t; c_t])

    Args:
        units: channels of the recurrent states.
        attention: how a state looks back: a name of `layers.names("self")`, a dict with "name" and arguments.
        num_heads: heads of the attention, a divisor of `units`.
        dropout: share of the vectors and of what is read dropped while training.
        attention_dropout: share of the attention weights dropped while training.

    Call:
        inputs: [batch, steps, width], vectors of items, the newest last.
        mask: bool [batch, steps]; False marks padding.

    Returns:
        [batch, steps, width], normalised.

    Raises:
        ZooValueError: if a number is out of range, a name is unknown, or the attention cannot be made causal.

    Source: Hidasi et al. 2015, arXiv:1511.06939 (the GRU); Li et al. 2017, arXiv:1711.04725 (the attention, additive
    there as by default here). Differs: weights are a softmax.
    """

    def __init__(
        self,
        units: int,
        attention: Any = "additive",
        num_heads: int = 1,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units, self.num_heads = whole_number("units", units, unit="channels"), whole_number("num_heads", num_heads)
        if units % num_heads:
            raise ZooValueError(f"units must be a multiple of num_heads, got {units} for {num_heads} heads")
        self.attention, self.dropout, self.attention_dropout = attention, dropout, attention_dropout

    def get_config(self) -> dict:
        names = ("units", "attention", "num_heads", "dropout", "attention_dropout")
        return with_plain_layers({**super().get_config(), **{name: getattr(self, name) for name in names}})

    def build(self, input_shape: Any) -> None:
        policy, width = {"dtype": self.dtype_policy}, input_shape[-1]
        # The fast operation of one library wants padding at the right; Keras's own start, an orthogonal matrix, cannot
        # be drawn in half precision everywhere.
        options = {"use_cudnn": False, "recurrent_initializer": "glorot_uniform", "return_sequences": True}
        self.reading = keras.layers.GRU(self.units, name="gru", **options, **policy)
        sizes = {"num_heads": self.num_heads, "key_dim": self.units // self.num_heads}
        check_places(self.attention)
        self.attending = named.get(
            self.attention, role="self", **sizes, dropout=self.attention_dropout, name="attention", **policy
        )
        self.joining = keras.layers.Dense(width, use_bias=False, name="joining", **policy)
        self.last_norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="last_norm", **policy)
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)
        sizes = {self.reading: width, self.attending: self.units, self.joining: 2 * self.units, self.last_norm: width}
        for layer, channels in sizes.items():
            if not layer.built:
                layer.build((None, None, channels))
            layer.supports_masking = True
        self.hiding = check_causal(self.attending, self.attention)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        states = self.reading(self.dropping(inputs, training=training), mask=mask, training=training)
        seen = self.attending(states, query_mask=mask, training=training, **self.hiding)
        both = self.dropping(ops.concatenate([states, seen], axis=-1), training=training)
        return self.last_norm(self.joining(both))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Pass no mask on: states are asked where there is an item."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)
