"""The Conformer: attention for what is far, convolution for what is near, between two half feed-forward parts."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.convolution import hide
from attention_zoo.blocks.feed_forward import FeedForward
from attention_zoo.checks import share, whole_number
from attention_zoo.core import gate, get_part, site_path
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.layers import named

NORMS = ("batch", "layer")
EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="attention_zoo")
class ConformerConvolution(keras.layers.Layer):
    """Look at near frames, channel by channel, behind a gate.

    [a; b] = W_1 norm(x), g = a sigmoid(b), output = W_2 silu(norm(depthwise(g)))

    A causal one also goes chunk by chunk, `output, state = layer.stream(chunk, state)`, and gives the same numbers.

    Args:
        width: frames that the convolution spans, odd.
        norm: the second norm: "batch" (as published) or "layer" (does not depend on the batch).
        causal: True looks back only.
        dropout: share of the output dropped while training, 0 to 1.

    Call:
        inputs: [batch, time, channels].
        mask: bool [batch, time]; False marks padding, which counts as zero and has no part in the batch's statistics.

    Returns:
        The shape of `inputs`; zero at padding.

    Raises:
        ZooValueError: if width is even or under 1, norm is unknown, or dropout is out of range.

    Cost: time batch x time x channels x (3 channels + width).
    Source: Gulati et al. 2020, arXiv:2005.08100, section 2.2, figure 2.
    """

    def __init__(self, width: int = 31, norm: str = "batch", causal: bool = False, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if width < 1 or width % 2 == 0:
            raise ZooValueError(f"width must be an odd number of frames, got {width}")
        if norm not in NORMS:
            raise unknown("norm", norm, NORMS)
        if not 0 <= dropout < 1:
            raise ZooValueError(f"dropout must be at least 0 and under 1, got {dropout}")
        self.supports_masking = True
        self.width, self.norm, self.causal, self.dropout = width, norm, causal, dropout

    def get_config(self) -> dict:
        names = ("width", "norm", "causal", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Any) -> None:
        channels, policy = input_shape[-1], {"dtype": self.dtype_policy}
        shape = (*input_shape[:-1], channels)
        self.first_norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="first_norm", **policy)
        self.widen = keras.layers.Dense(2 * channels, name="widen", **policy)
        padding = "valid" if self.causal else "same"
        self.depthwise = keras.layers.DepthwiseConv1D(self.width, padding=padding, name="depthwise", **policy)
        if self.norm == "batch":
            self.second_norm = keras.layers.BatchNormalization(epsilon=EPSILON, name="second_norm", **policy)
        else:
            self.second_norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="second_norm", **policy)
        self.contract = keras.layers.Dense(channels, name="contract", **policy)
        for layer in (self.first_norm, self.widen, self.depthwise, self.second_norm, self.contract):
            layer.build(shape)
            layer.supports_masking = True
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        gated = self._gated(inputs, mask)
        if self.causal:
            gated = ops.pad(gated, ((0, 0), (self.width - 1, 0), (0, 0)))
        return self._finished(gated, mask, training)

    def start_stream(self, batch: Any) -> dict[str, Any]:
        """Return the state of `batch` streams of which nothing has been read: "gated" [batch, width - 1, channels].

        Raises:
            ZooValueError: if the layer looks ahead or is not built.
        """
        if not self.causal or not self.built:
            reason = "is not built" if self.causal else "looks ahead"
            raise ZooValueError(f"a stream wants a built convolution with causal=True, but {self.name!r} {reason}")
        return {"gated": ops.zeros((batch, self.width - 1, self.contract.units), dtype=self.compute_dtype)}

    def stream(self, inputs: Any, state: dict[str, Any], mask: Any = None) -> tuple[Any, dict[str, Any]]:
        """Read one chunk.

        Args:
            inputs: [batch, chunk, channels].
            state: from `start_stream` or the step before.
            mask: bool [batch, chunk]; False marks padding, after which nothing may come.

        Returns:
            The shape of `inputs`, and the state for the next chunk.
        """
        gated = ops.concatenate([state["gated"], self._gated(inputs, mask)], axis=1)
        return self._finished(gated, mask, False), {"gated": gated[:, ops.shape(inputs)[1] :]}

    def _gated(self, inputs: Any, mask: Any) -> Any:
        """Return what the convolution sees, zero at padding."""
        values, logits = ops.split(self.widen(self.first_norm(inputs)), 2, axis=-1)
        axes = ("batch", "time", "channel")
        real = None if mask is None else ops.expand_dims(mask, -1)
        return hide(gate(values, logits, path=site_path(self), axes=axes, mask=real), mask)

    def _finished(self, gated: Any, mask: Any, training: bool | None) -> Any:
        """Run the convolution and what comes after it."""
        near = self.depthwise(gated)
        if self.norm == "batch":
            near = self.second_norm(near, training=training, mask=mask)
        else:
            near = self.second_norm(near)
        output = self.dropping(self.contract(ops.silu(near)), training=training)
        return hide(output, mask)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class ConformerBlock(keras.layers.Layer):
    """Half a feed-forward part, attention, convolution, half a feed-forward part, a norm.

    x += feed_forward(norm(x)) / 2, x += attention(norm(x)), x += convolution(x), x += feed_forward(norm(x)) / 2,
    output = norm(x)

    One with a causal convolution and `StreamingAttention` (variant "chunked") also goes chunk by chunk by `stream`.

    Args:
        num_heads: heads of the attention.
        feed_forward: channels in between of the feed-forward parts; None is 4 x width.
        convolution: frames that the convolution spans, odd.
        dropout: share dropped while training, after each part and within feed-forward, 0 to 1.
        attention_dropout: share of the attention weights dropped while training, 0 to 1.
        position: of an attention that is None: how distance counts; None is "transformer_xl".
        pattern: of an attention that is None: which frames may meet; None is "full".
        norm: of the convolution: "batch" or "layer".
        causal: True lets the convolution look back only; the attention goes by its pattern.
        attention: any name of `layers.names("self")`, a dict with "name" and arguments, or a layer of that role; None
            is as published, `MultiHeadAttention` with relative positions.
        stochastic_depth: how often all that the block adds is left out for a whole example while training, 0 to 1.

    Call:
        inputs: [batch, time, width].
        mask: bool [batch, time]; False marks padding.

    Returns:
        The shape of `inputs`.

    Raises:
        ZooValueError: if a number is out of range, a name is unknown, width is no multiple of `num_heads`, or position
            or pattern come beside an attention.

    Cost: that of its parts; of the attention batch x heads x time^2.
    Source: Gulati et al. 2020, arXiv:2005.08100, section 2.4, equation 1; Huang et al. 2016, arXiv:1603.09382.
    """

    def __init__(
        self,
        num_heads: int,
        feed_forward: int | None = None,
        convolution: int = 31,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        position: Any = None,
        pattern: Any = None,
        norm: str = "batch",
        causal: bool = False,
        attention: Any = None,
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if attention is not None and not (position is None and pattern is None):
            raise ZooValueError("position and pattern must be arguments of the attention where there is one, got both")
        self.supports_masking = True
        self.num_heads, self.feed_forward = whole_number("num_heads", num_heads), feed_forward
        self.convolution, self.norm, self.causal, self.attention = convolution, norm, causal, attention
        self.dropout, self.attention_dropout = dropout, share("attention_dropout", attention_dropout)
        self.stochastic_depth = share("stochastic_depth", stochastic_depth)
        self.position, self.pattern = position, pattern
        if attention is None:
            self.position = get_part("position", position, "transformer_xl", self.dtype_policy)
            self.pattern = get_part("pattern", pattern, "full", self.dtype_policy)
        self.convolving = ConformerConvolution(
            convolution, norm, causal, dropout, name="convolution", dtype=self.dtype_policy
        )

    def get_config(self) -> dict:
        names = ("num_heads", "feed_forward", "convolution", "dropout", "attention_dropout", "norm", "causal")
        names += ("attention", "stochastic_depth")
        config = {**super().get_config(), **{name: getattr(self, name) for name in names}}
        for name in ("position", "pattern"):
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return with_plain_layers(config)

    def build(self, input_shape: Any) -> None:
        width, policy = input_shape[-1], {"dtype": self.dtype_policy}
        if width % self.num_heads:
            raise ZooValueError(f"width must be a multiple of num_heads, got {width} for {self.num_heads} heads")
        own = {"name": "multi_head", "position": self.position, "pattern": self.pattern}
        self.attending = named.get(
            own if self.attention is None else self.attention,
            role="self",
            num_heads=self.num_heads,
            key_dim=width // self.num_heads,
            dropout=self.attention_dropout,
            name="attention",
            **policy,
        )
        hidden = self.feed_forward or 4 * width
        self.norms = {}
        for name in ("first", "attention", "second", "last"):
            self.norms[name] = keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm", **policy)
            self.norms[name].supports_masking = True
            self.norms[name].build(input_shape)
        self.thoughts = {
            name: FeedForward(hidden, "silu", self.dropout, name=f"{name}_feed_forward", **policy)
            for name in ("first", "second")
        }
        for part in (*self.thoughts.values(), self.attending, self.convolving):
            if not part.built:
                part.build(input_shape)
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)
        self.skipping = keras.layers.Dropout(self.stochastic_depth, name="skipping", **policy)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        kept = self._kept(inputs, training)
        current = self._think("first", inputs, kept, training)
        read = self.attending(self.norms["attention"](current), query_mask=mask, training=training)
        current = _add(current, self.dropping(read, training=training), kept)
        current = _add(current, self.convolving(current, mask=mask, training=training), kept)
        return self.norms["last"](self._think("second", current, kept, training))

    def _kept(self, inputs: Any, training: bool | None) -> Any:
        """Return what to multiply the additions to each example by: 0, or more than 1 to make up for that."""
        if not training or not self.stochastic_depth:
            return None
        return self.skipping(ops.ones_like(inputs[:, :1, :1]), training=True)

    def _think(self, name: str, inputs: Any, kept: Any, training: bool | None) -> Any:
        """Add half of a feed-forward part."""
        thought = self.thoughts[name](self.norms[name](inputs), training=training)
        return _add(inputs, 0.5 * self.dropping(thought, training=training), kept)

    def start_stream(self, batch: Any) -> dict[str, Any]:
        """Return the state of `batch` streams of which nothing has been read, see the parts' own `start_stream`.

        Raises:
            ZooValueError: if a part cannot go chunk by chunk, or the block is not built.
        """
        if not self.built or not hasattr(self.attending, "stream"):
            raise ZooValueError(f"a stream wants a built block with attention 'chunked', {self.name!r} is none")
        return {**self.attending.start_stream(batch), **self.convolving.start_stream(batch)}

    def stream(self, inputs: Any, state: dict[str, Any], mask: Any = None) -> tuple[Any, dict[str, Any]]:
        """Read one chunk, see the parts' own `stream`.

        Args:
            inputs: [batch, chunk, width].
            state: from `start_stream` or the step before.
            mask: bool [batch, chunk]; False marks padding, after which nothing may come.

        Returns:
            The shape of `inputs`, and the state for the next chunk.
        """
        past = {name: value for name, value in state.items() if name != "gated"}
        current = self._think("first", inputs, None, False)
        read, past = self.attending.stream(self.norms["attention"](current), past, mask=mask)
        current = current + read
        near, after = self.convolving.stream(current, state, mask)
        return self.norms["last"](self._think("second", current + near, None, False)), {**past, **after}

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return tuple(input_shape)


def _add(current: Any, part: Any, kept: Any) -> Any:
    return current + part if kept is None else current + kept * part
