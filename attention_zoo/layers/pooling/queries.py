"""Sum a sequence up by attention whose queries are learned, or are its mean."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import get_part
from attention_zoo.core.queries import LearnedQueries, for_each
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention

_EPSILON = 1e-6


class _QueryPooling(LearnedQueries):
    """Shared by the layers below: the making of their attention, and that no axis with padding is left."""

    def attend_with(self, width: int, **options: Any) -> MultiHeadAttention:
        """Make and build the attention for queries and inputs of `width` channels."""
        layer = MultiHeadAttention(**self.settings(width), **options)
        layer.build((None, None, width), (None, None, width))
        return layer

    def made(self, layer: keras.layers.Layer, width: int) -> keras.layers.Layer:
        """Build a sublayer for inputs [batch, length, width]."""
        layer.build((None, None, width))
        layer.supports_masking = True
        return layer

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None


@keras.saving.register_keras_serializable(package="attention_zoo")
class MapPooling(_QueryPooling):
    """Sum a sequence up by one learned query and a small network (multi-head attention pooling, MAP).

    y = MultiHead(probe, inputs), output = y + W_2 gelu(W_1 norm(y))

    Args:
        num_heads: heads.
        key_dim: channels of each head; None is the width of the inputs over the heads.
        units: hidden units of the network; None is four times the width.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, time, width].
        mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, width].

    Raises:
        ZooValueError: if num_heads, key_dim or units is not positive, or dropout out of range.

    Cost: time and memory batch x heads x time x channels.
    Source: Zhai et al. 2021, arXiv:2106.04560, section 3.2, after Lee et al. 2018, arXiv:1810.00825, section 3.2.
    """

    def __init__(
        self,
        num_heads: int = 4,
        key_dim: int | None = None,
        units: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout, seed, **kwargs)
        self.units = None if units is None else whole_number("units", units)

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}

    def build(self, input_shape: Any) -> None:
        width, policy = input_shape[-1], {"dtype": self.dtype_policy}
        units = self.units or 4 * width
        self.probe = self.queries("probe", 1, width)
        self.attention = self.attend_with(width)
        self.norm = self.made(keras.layers.LayerNormalization(epsilon=_EPSILON, name="norm", **policy), width)
        self.inner = self.made(keras.layers.Dense(units, "gelu", name="inner", **policy), width)
        self.outer = self.made(keras.layers.Dense(width, name="outer", **policy), units)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        pooled = self.attention(for_each(self.probe, inputs), inputs, value_mask=mask, training=training)
        return ops.squeeze(pooled + self.outer(self.inner(self.norm(pooled))), 1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], input_shape[-1])


@keras.saving.register_keras_serializable(package="attention_zoo")
class ClipPooling(_QueryPooling):
    """Sum a sequence or an image up by attention whose query is its mean.

    output = W_o MultiHead(m + p_0, [m + p_0; x_1 + p_1; x_2 + p_2; ...]), m = mean of x

    Args:
        num_heads: heads.
        key_dim: channels of each head; None is the width of the inputs over the heads.
        output_dim: channels of the output; None is the width of the inputs.
        position: how places are told, by name, dict or object; None is "learned", the mean at place 0.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, time, width], or an image [batch, height, width, channels], read row by row.
        mask: bool [batch, time], or [batch, height, width]; False marks padding.

    Returns:
        [batch, output_dim]. What is all padding gives the output's bias.

    Raises:
        ZooValueError: if num_heads, key_dim or output_dim is not positive, or dropout out of range.

    Cost: time and memory batch x heads x time x channels.
    Source: Radford et al. 2021, arXiv:2103.00020, section 2.4 (the attention pooling of the modified ResNet). Differs:
    places beyond the position's table take its last row, so that any size of image is read.
    """

    def __init__(
        self,
        num_heads: int = 4,
        key_dim: int | None = None,
        output_dim: int | None = None,
        position: Any = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout, seed, **kwargs)
        self.output_dim = None if output_dim is None else whole_number("output_dim", output_dim)
        self.position = get_part("position", position, "learned", self.dtype_policy)

    def get_config(self) -> dict:
        position = keras.saving.serialize_keras_object(self.position)
        return {**super().get_config(), "output_dim": self.output_dim, "position": position}

    def build(self, input_shape: Any) -> None:
        self.attention = self.attend_with(input_shape[-1], output_shape=self.output_dim, position=self.position)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        tokens = ops.reshape(inputs, (ops.shape(inputs)[0], -1, inputs.shape[-1]))
        shown = ops.ones_like(tokens[..., 0], dtype="bool")
        if mask is not None:
            shown = ops.reshape(ops.cast(mask, "bool"), (ops.shape(inputs)[0], -1))
        share = ops.expand_dims(ops.cast(shown, "float32"), -1)
        share = share / ops.maximum(ops.sum(share, axis=1, keepdims=True), 1.0)
        mean = ops.cast(ops.sum(share * ops.cast(tokens, "float32"), axis=1, keepdims=True), inputs.dtype)
        tokens = ops.concatenate([mean, tokens], axis=1)
        shown = ops.concatenate([ops.any(shown, axis=1, keepdims=True), shown], axis=1)
        return ops.squeeze(self.attention(mean, tokens, value_mask=shown, training=training), 1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], self.output_dim or input_shape[-1])


@keras.saving.register_keras_serializable(package="attention_zoo")
class MLDecoder(_QueryPooling):
    """Give the logits of many classes, read off an image or sequence by one learned query for each group of classes.

    m = relu(W inputs), q = norm(queries), g = norm(q + MultiHead(q, m)), g' = norm(g + W_2 relu(W_1 g)),
    logit of class c = K_c . g'_(group of c) + b_c

    Args:
        num_classes: classes, at least 1.
        groups: groups of neighbouring classes, each with a query; None is one for each class, at most 100.
        num_heads: heads.
        key_dim: channels of each head; None is `width` over the heads.
        width: channels of queries and memory; None is the width of the inputs.
        units: hidden units of the network; None is four times `width`.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, time, width], or an image [batch, height, width, channels].
        mask: bool [batch, time], or [batch, height, width]; False marks padding.

    Returns:
        logits [batch, num_classes].

    Raises:
        ZooValueError: if a number is not positive, there are more groups than classes, or dropout is out of range.

    Cost: time and memory batch x heads x groups x time x channels.
    Source: Ridnik et al. 2021, arXiv:2111.12933. Differs: the queries are learned; the authors also let
    them stay as drawn.
    """

    def __init__(
        self,
        num_classes: int,
        groups: int | None = None,
        num_heads: int = 4,
        key_dim: int | None = None,
        width: int | None = None,
        units: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout, seed, **kwargs)
        for name, value in (("num_classes", num_classes), ("groups", groups), ("width", width), ("units", units)):
            if value is not None:
                whole_number(name, value)
        if groups is not None and groups > num_classes:
            raise ZooValueError(f"groups must be at most num_classes, got {groups} for {num_classes} classes")
        self.num_classes, self.groups, self.width, self.units = num_classes, groups, width, units

    def get_config(self) -> dict:
        names = ("num_classes", "groups", "width", "units")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Any) -> None:
        width, policy = self.width or input_shape[-1], {"dtype": self.dtype_policy}
        units, groups = self.units or 4 * width, self.groups or min(self.num_classes, 100)
        self.memory = self.made(keras.layers.Dense(width, "relu", name="memory", **policy), input_shape[-1])
        self.asked = self.queries("queries", groups, width)
        self.attention = self.attend_with(width)
        self.norms = [
            self.made(keras.layers.LayerNormalization(epsilon=_EPSILON, name=name, **policy), width)
            for name in ("query_norm", "attention_norm", "network_norm")
        ]
        self.inner = self.made(keras.layers.Dense(units, "relu", name="inner", **policy), width)
        self.outer = self.made(keras.layers.Dense(width, name="outer", **policy), units)
        shape = (groups, width, -(-self.num_classes // groups))
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.num_classes,), initializer="zeros", name="bias")

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        batch = ops.shape(inputs)[0]
        memory = self.memory(ops.reshape(inputs, (batch, -1, inputs.shape[-1])))
        mask = None if mask is None else ops.reshape(mask, (batch, -1))
        query = self.norms[0](for_each(self.asked, memory))
        query = self.norms[1](query + self.attention(query, memory, value_mask=mask, training=training))
        query = self.norms[2](query + self.outer(self.inner(query)))
        logits = ops.einsum("bgc,gcn->bgn", query, ops.cast(self.kernel, query.dtype))
        # The last group may be short.
        logits = ops.reshape(logits, (batch, self.kernel.shape[0] * self.kernel.shape[2]))[:, : self.num_classes]
        return logits + ops.cast(self.bias, logits.dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], self.num_classes)
