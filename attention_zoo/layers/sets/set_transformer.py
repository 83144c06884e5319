"""Attention on sets: blocks that read all members, or read them through a few learned points."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.queries import LearnedQueries, for_each
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention

_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="attention_zoo")
class SetAttention(MultiHeadAttention):
    """Let the members of a set read each other, or those of another set (SAB; with two sets MAB).

    h = norm(query + MultiHead(query, value)), output = norm(h + relu(W h + b))

    Args:
        num_heads: heads.
        key_dim: channels of each head.
        value_dim: channels of each head of values; None is `key_dim`.
        dropout: share of the weights dropped while training, 0 to 1.
        **kwargs: as for `MultiHeadAttention`, apart from `output_shape`: the output is as wide as the query.

    Call:
        as `MultiHeadAttention`.

    Returns:
        [batch, query, width], and the map where asked for. A member that may see nothing keeps what it is.

    Raises:
        ZooValueError: as `MultiHeadAttention`, and if `output_shape` is given.

    Cost: time batch x heads x query x key x channels, memory likewise where a map is formed.
    Source: Lee et al. 2018, arXiv:1810.00825, section 3.1, equations 6 to 8; the row-wise network as in the authors'
    code, one layer.
    """

    def __init__(self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0, **kwargs: Any):
        super().__init__(num_heads, key_dim, value_dim, dropout=dropout, **kwargs)
        if self.out_shape is not None:
            raise ZooValueError(f"output_shape must be None: the query is added to the output, got {self.out_shape}")

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        width, policy = query_shape[-1], {"dtype": self.dtype_policy}
        self.attention_norm = keras.layers.LayerNormalization(epsilon=_EPSILON, name="attention_norm", **policy)
        self.network_norm = keras.layers.LayerNormalization(epsilon=_EPSILON, name="network_norm", **policy)
        self.network = keras.layers.Dense(width, "relu", name="network", **policy)
        for layer in (self.attention_norm, self.network_norm, self.network):
            layer.build(query_shape)
            layer.supports_masking = True

    def call(
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
        mask: Any = None,
    ) -> Any:
        masks = {"mask": mask, "query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        result = super().call(
            query,
            value,
            key,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
            use_causal_mask=use_causal_mask,
            **masks,
        )
        read, weights = result if return_attention_scores else (result, None)
        hidden = self.attention_norm(query + read)
        output = self.network_norm(hidden + self.network(hidden))
        return (output, weights) if return_attention_scores else output


class _ThroughPoints(LearnedQueries):
    """Shared by the layers with learned points."""

    def block(self, kind: type, name: str, width: int, value_width: int) -> MultiHeadAttention:
        """Make and build attention of queries of `width` channels over values of `value_width`."""
        layer = kind(**self.settings(width, name))
        layer.build((None, None, width), (None, None, value_width))
        return layer


@keras.saving.register_keras_serializable(package="attention_zoo")
class InducedSetAttention(_ThroughPoints):
    """Let the members of a set read each other through a few learned points, in linear time (ISAB).

    output = MAB(query, MAB(points, value)), MAB as `SetAttention`

    Args:
        num_heads: heads.
        key_dim: channels of each head; None is the width of the query over the heads.
        points: number of learned points, at least 1.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        query: [batch, query, width].
        value: [batch, key, value width]; None is the query.
        query_mask: bool [batch, query]; False marks padding.
        value_mask: bool [batch, key]; None is that of the query where the value is the query.

    Returns:
        [batch, query, width].

    Raises:
        ZooValueError: if points is under 1, or as `MultiHeadAttention`.

    Cost: time and memory batch x heads x (query + key) x points x channels.
    Source: Lee et al. 2018, arXiv:1810.00825, section 3.1, equations 9 and 10. Differs: the set that is read may be
    another.
    """

    def __init__(
        self,
        num_heads: int = 4,
        key_dim: int | None = None,
        points: int = 16,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout, seed, **kwargs)
        self.points = whole_number("points", points)

    def get_config(self) -> dict:
        return {**super().get_config(), "points": self.points}

    def build(self, query_shape: Any, value_shape: Any = None) -> None:
        width = query_shape[-1]
        self.induced = self.queries("points", self.points, width)
        self.gather = self.block(SetAttention, "gather", width, (value_shape or query_shape)[-1])
        self.spread = self.block(SetAttention, "spread", width, width)

    def call(
        self,
        query: Any,
        value: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        training: bool | None = None,
        mask: Any = None,
    ) -> Any:
        if value is None:
            # Keras fills `query_mask` only where there are several tensors, and `mask` where there is one.
            query_mask = mask if query_mask is None else query_mask
            value, value_mask = query, query_mask if value_mask is None else value_mask
        points = self.gather(for_each(self.induced, query), value, value_mask=value_mask, training=training)
        return self.spread(query, points, query_mask=query_mask, training=training)

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None) -> tuple:
        return tuple(query_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class MultiHeadAttentionPooling(_ThroughPoints):
    """Sum a set up by learned seeds that read it (PMA).

    output = MAB(seeds, relu(W inputs + b)), MAB as `SetAttention`

    Args:
        num_heads: heads.
        key_dim: channels of each head; None is the width of the inputs over the heads.
        seeds: number of learned seeds, at least 1.
        flatten: True joins what the seeds found to one vector, False keeps them apart.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, time, width].
        mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, seeds x width], or [batch, seeds, width] where `flatten` is False.

    Raises:
        ZooValueError: if seeds is under 1, or as `MultiHeadAttention`.

    Cost: time and memory batch x heads x seeds x time x channels.
    Source: Lee et al. 2018, arXiv:1810.00825, section 3.2, equation 11.
    """

    def __init__(
        self,
        num_heads: int = 4,
        key_dim: int | None = None,
        seeds: int = 1,
        flatten: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout, seed, **kwargs)
        self.seeds, self.flatten = whole_number("seeds", seeds), flatten

    def get_config(self) -> dict:
        return {**super().get_config(), "seeds": self.seeds, "flatten": self.flatten}

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        self.asking = self.queries("seeds", self.seeds, width)
        self.network = keras.layers.Dense(width, "relu", name="network", dtype=self.dtype_policy)
        self.network.build(input_shape)
        self.network.supports_masking = True
        self.attention = self.block(SetAttention, "attention", width, width)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        seeds = for_each(self.asking, inputs)
        found = self.attention(seeds, self.network(inputs), value_mask=mask, training=training)
        if not self.flatten:
            return found
        return ops.reshape(found, (ops.shape(found)[0], self.seeds * inputs.shape[-1]))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        batch, width = input_shape[0], input_shape[-1]
        return (batch, self.seeds * width) if self.flatten else (batch, self.seeds, width)


@keras.saving.register_keras_serializable(package="attention_zoo")
class PerceiverAttention(_ThroughPoints):
    """Bring inputs of any length to a few learned latents that read them.

    l' = latents + MultiHead(norm(latents), norm(inputs)), output = l' + W_2 gelu(W_1 norm(l'))

    Args:
        num_heads: heads.
        key_dim: channels of each head; None is the width of the latents over the heads.
        latents: number of learned latents, at least 1.
        width: channels of the latents; None is the width of the inputs.
        units: hidden units of the network; None is the width of the latents.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, time, width].
        mask: bool [batch, time]; False marks padding.

    Returns:
        [batch, latents, width].

    Raises:
        ZooValueError: if latents, width or units is under 1, or as `MultiHeadAttention`.

    Cost: time and memory batch x heads x latents x time x channels.
    Source: Jaegle et al. 2021, arXiv:2103.03206, section 3.1 (the cross-attention module).
    """

    def __init__(
        self,
        num_heads: int = 4,
        key_dim: int | None = None,
        latents: int = 32,
        width: int | None = None,
        units: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout, seed, **kwargs)
        for name, value in (("latents", latents), ("width", width), ("units", units)):
            if value is not None:
                whole_number(name, value)
        self.latents, self.width, self.units = latents, width, units

    def get_config(self) -> dict:
        return {**super().get_config(), "latents": self.latents, "width": self.width, "units": self.units}

    def build(self, input_shape: Any) -> None:
        width, policy = self.width or input_shape[-1], {"dtype": self.dtype_policy}
        units = self.units or width
        self.reading = self.queries("latents", self.latents, width)
        self.attention = self.block(MultiHeadAttention, "attention", width, input_shape[-1])
        self.latent_norm, self.input_norm, self.network_norm = (
            keras.layers.LayerNormalization(epsilon=_EPSILON, name=name, **policy)
            for name in ("latent_norm", "input_norm", "network_norm")
        )
        self.inner = keras.layers.Dense(units, "gelu", name="inner", **policy)
        self.outer = keras.layers.Dense(width, name="outer", **policy)
        widths = ((self.latent_norm, width), (self.input_norm, input_shape[-1]), (self.network_norm, width))
        for layer, channels in (*widths, (self.inner, width), (self.outer, units)):
            layer.build((None, None, channels))
            layer.supports_masking = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        latents = for_each(self.reading, inputs)
        query, value = self.latent_norm(latents), self.input_norm(inputs)
        latents = latents + self.attention(query, value, value_mask=mask, training=training)
        return latents + self.outer(self.inner(self.network_norm(latents)))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: no axis with padding is left."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], self.latents, self.width or input_shape[-1])
