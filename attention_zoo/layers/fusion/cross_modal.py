"""Cross-modal attention: one modality asks, others answer."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import share, whole_number
from attention_zoo.core import gate, site_path
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.fusion.dense import masks_of, normalize, project, shapes_of, some
from attention_zoo.layers.multi_head import MultiHeadAttention


class Crossing(keras.layers.Layer):
    """Shared by layers that hold cross-attentions: their heads, and what a missing source gives."""

    def __init__(self, num_heads: int, key_dim: int, dropout: float = 0.0, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads, self.key_dim = (
            whole_number("num_heads", num_heads),
            whole_number("key_dim", key_dim, unit="channels"),
        )
        self.dropout, self.seed = share("dropout", dropout), seed

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _attention(self, name: str, query_shape: Any, value_shape: Any) -> MultiHeadAttention:
        """Make and build an attention of this layer."""
        arguments = {"dropout": self.dropout, "seed": self.seed, "name": name, "dtype": self.dtype_policy}
        attention = MultiHeadAttention(self.num_heads, self.key_dim, **arguments)
        attention.build(tuple(query_shape), tuple(value_shape))
        return attention

    def _read(self, attention: Any, query: Any, value: Any, masks: tuple[Any, Any], training: bool | None) -> Any:
        """Attend; a source of which nothing is to be seen adds nothing, not even the bias of the projection."""
        query_mask, value_mask = masks
        read = attention(query, value, query_mask=query_mask, value_mask=value_mask, training=training)
        return read if value_mask is None else read * some(value_mask, read)


@keras.saving.register_keras_serializable(package="attention_zoo")
class CrossModalAttention(Crossing):
    """Let each step of a target modality ask each source modality, and put the answers side by side.

    y_m = target + attend(norm(target), norm_m(source_m)), output = [y_1; ...; y_n]

    Lengths and rates of the modalities are free: nothing needs to be aligned.

    Args:
        num_heads: heads of each attention.
        key_dim: channels of each head.
        dropout: share of the attention weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        target: [batch, time, width].
        sources: list of [batch, own time, own width].
        target_mask: bool [batch, time]; passed on.
        sources_mask: list of bool [batch, own time], or None each; False marks padding. All False is a missing
            source: its part of the output is the target itself.

    Returns:
        [batch, time, width x number of sources].

    Raises:
        ZooTypeError: if `sources` is no list.
        ZooValueError: if num_heads or key_dim is under 1, or dropout is out of range.

    Cost: time and memory batch x heads x time x the sum of the sources' times.
    Source: Tsai et al. 2019, arXiv:1906.00295, sections 3.1 and 3.2.
    Differs: the convolutions before and the feed-forward part behind it are left to models, and the residual is the
    target itself, not its norm.
    """

    def build(self, target_shape: Any, sources_shape: Any) -> None:
        shapes = shapes_of("sources", sources_shape, 1)
        self.target_norm = normalize(self, "target_norm", target_shape[-1])
        self.source_norms = [normalize(self, f"source_{i}_norm", shape[-1]) for i, shape in enumerate(shapes)]
        self.attentions = [self._attention(f"source_{i}", target_shape, shape) for i, shape in enumerate(shapes)]

    def call(
        self,
        target: Any,
        sources: Any,
        target_mask: Any = None,
        sources_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        query, found = self.target_norm(target), []
        for i, (source, mask) in enumerate(zip(sources, masks_of(sources_mask, len(sources)))):
            value = self.source_norms[i](source)
            found.append(target + self._read(self.attentions[i], query, value, (target_mask, mask), training))
        return ops.concatenate(found, axis=-1)

    def compute_mask(self, target: Any, sources: Any = None, target_mask: Any = None, sources_mask: Any = None) -> Any:
        """Pass on the mask of the target."""
        return target_mask

    def compute_output_shape(self, target_shape: Any, sources_shape: Any) -> tuple:
        return (*target_shape[:-1], target_shape[-1] * len(sources_shape))


@keras.saving.register_keras_serializable(package="attention_zoo")
class TwoWayAttention(Crossing):
    """Let two modalities ask each other, each keeping its length.

    first = norm(first + attend(first, second)), second = norm(second + attend(second, first))

    Args:
        num_heads: heads of each attention.
        key_dim: channels of each head.
        dropout: share of the attention weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        first: [batch, length of first, width of first].
        second: [batch, length of second, width of second].
        first_mask, second_mask: bool [batch, length]; False marks padding. All False is a missing modality: the other
            is only normalised.

    Returns:
        the pair, in the shapes of the inputs.

    Raises:
        ZooValueError: if num_heads or key_dim is under 1, or dropout is out of range.

    Cost: time and memory batch x heads x length of first x length of second, twice.
    Source: Lu et al. 2019, arXiv:1908.02265, section 2.2, figure 2b; guided attention of Yu et al. 2019,
    arXiv:1906.10770, section 3.1, is one of its two ways. Differs: the feed-forward parts are left to models.
    """

    def build(self, first_shape: Any, second_shape: Any) -> None:
        self.first_attention = self._attention("first", first_shape, second_shape)
        self.second_attention = self._attention("second", second_shape, first_shape)
        self.first_norm = normalize(self, "first_norm", first_shape[-1])
        self.second_norm = normalize(self, "second_norm", second_shape[-1])

    def call(
        self,
        first: Any,
        second: Any,
        first_mask: Any = None,
        second_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        to_first = self._read(self.first_attention, first, second, (first_mask, second_mask), training)
        to_second = self._read(self.second_attention, second, first, (second_mask, first_mask), training)
        return self.first_norm(first + to_first), self.second_norm(second + to_second)

    def compute_mask(self, first: Any, second: Any = None, first_mask: Any = None, second_mask: Any = None) -> Any:
        """Pass on both masks."""
        return first_mask, second_mask

    def compute_output_shape(self, first_shape: Any, second_shape: Any) -> tuple:
        return tuple(first_shape), tuple(second_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class GatedCrossAttention(Crossing):
    """Let a trained sequence look at another modality through a gate that starts shut.

    y = query + tanh(a) attend(norm(query), value), output = y + tanh(b) W_2 gelu(W_1 norm(y))

    Both gates are 0 at first, so that what was trained before is not disturbed.

    Args:
        num_heads: heads of the attention.
        key_dim: channels of each head.
        feed_forward: channels in between of the second part; 0 leaves it out.
        dropout: share of the attention weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        query: [batch, query, width].
        value: [batch, key, own width].
        query_mask: bool [batch, query]; passed on.
        value_mask: bool [batch, key]; False marks padding. All False is a missing modality: the attention adds nothing.

    Returns:
        [batch, query, width].

    Raises:
        ZooValueError: if num_heads or key_dim is under 1, feed_forward is negative or dropout is out of range.

    Cost: time and memory batch x heads x query x key.
    Source: Alayrac et al. 2022, arXiv:2204.14198, section 2.2, figure 4. Differs: gelu; biases.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        feed_forward: int = 0,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout=dropout, seed=seed, **kwargs)
        if feed_forward < 0:
            raise ZooValueError(f"feed_forward must be at least 0 (channels), got {feed_forward}")
        self.feed_forward = feed_forward

    def get_config(self) -> dict:
        return {**super().get_config(), "feed_forward": self.feed_forward}

    def build(self, query_shape: Any, value_shape: Any) -> None:
        width = query_shape[-1]
        self.attention = self._attention("attention", query_shape, value_shape)
        self.attention_norm = normalize(self, "attention_norm", width)
        self.attention_gate = self.add_weight(shape=(1,), initializer="zeros", name="attention_gate")
        if self.feed_forward:
            self.feed_forward_norm = normalize(self, "feed_forward_norm", width)
            self.expand = project(self, "expand", self.feed_forward, width, activation="gelu")
            self.contract = project(self, "contract", width, self.feed_forward)
            self.feed_forward_gate = self.add_weight(shape=(1,), initializer="zeros", name="feed_forward_gate")

    def call(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        value_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        masks = (query_mask, value_mask)
        read = self._read(self.attention, self.attention_norm(query), value, masks, training)
        output = query + self._gated("attention", read, self.attention_gate)
        if not self.feed_forward:
            return output
        thought = self.contract(self.expand(self.feed_forward_norm(output)))
        return output + self._gated("feed_forward", thought, self.feed_forward_gate)

    def _gated(self, name: str, values: Any, logit: Any) -> Any:
        """Scale by the tangent of one learned number, the same for the whole batch."""
        logits = ops.ones_like(values[:, :1, :1]) * ops.cast(logit, values.dtype)
        axes = ("batch", "query", "channel")
        return gate(values, logits, path=f"{site_path(self)}/{name}_gate", axes=axes, squash=ops.tanh)

    def compute_mask(self, query: Any, value: Any = None, query_mask: Any = None, value_mask: Any = None) -> Any:
        """Pass on the mask of the query."""
        return query_mask

    def compute_output_shape(self, query_shape: Any, value_shape: Any) -> tuple:
        return tuple(query_shape)
