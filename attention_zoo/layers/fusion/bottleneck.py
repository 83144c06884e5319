"""Bottleneck fusion: modalities exchange what they know through a few tokens."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.fusion.dense import masks_of, normalize, shapes_of, some
from attention_zoo.layers.multi_head import MultiHeadAttention


@keras.saving.register_keras_serializable(package="attention_zoo")
class BottleneckFusion(keras.layers.Layer):
    """Let each modality attend to itself and to a few shared tokens, and average what the tokens become.

    [x_m'; t_m'] = [x_m; t] + attend_m(norm_m([x_m; t])), t' = mean over m of t_m'

    Layers chain: what one returns, the next with `tokens` 0 takes.

    Args:
        num_heads: heads of each attention.
        key_dim: channels of each head.
        tokens: shared tokens, learned here; 0 where the last of `inputs` is the tokens that a layer before returned.
        dropout: share of the attention weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: list of [batch, own length, width], all of one width; with `tokens` 0 the last is the shared tokens.
        mask: list of bool [batch, own length], or None each; False marks padding. All False is a missing modality: it
            has no part in the mean. The tokens are never masked.

    Returns:
        list: each modality in its shape, and last the shared tokens [batch, tokens, width].

    Raises:
        ZooTypeError: if `inputs` is no list.
        ZooValueError: if widths differ, there are fewer than two modalities, or a number is out of range.

    Cost: time and memory batch x heads x the sum over modalities of (length + tokens)^2; full attention over all takes
    the square of the sum.
    Source: Nagrani et al. 2021, arXiv:2107.00135. Differs: the feed-forward parts are
    left to models.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        tokens: int = 4,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
            raise ZooValueError(f"tokens must be a whole number of at least 0, got {tokens!r}")
        self.supports_masking = True
        self.num_heads, self.key_dim = (
            whole_number("num_heads", num_heads),
            whole_number("key_dim", key_dim, unit="channels"),
        )
        self.tokens, self.dropout, self.seed = tokens, share("dropout", dropout), seed

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "tokens", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Any) -> None:
        shapes = shapes_of("inputs", input_shape, 2 if self.tokens else 3)
        width = shapes[0][-1]
        if any(shape[-1] != width for shape in shapes):
            raise ZooValueError(f"inputs must all have one width, got shapes {shapes}")
        if self.tokens:
            start = {"shape": (self.tokens, width), "initializer": keras.initializers.RandomNormal(stddev=0.02)}
            self.shared = self.add_weight(name="shared", **start)
        self.norms, self.attentions = [], []
        for i in range(len(shapes) if self.tokens else len(shapes) - 1):
            arguments = {"dropout": self.dropout, "seed": self.seed, "dtype": self.dtype_policy}
            attention = MultiHeadAttention(self.num_heads, self.key_dim, name=f"modality_{i}", **arguments)
            attention.build((None, None, width))
            self.norms.append(normalize(self, f"modality_{i}_norm", width))
            self.attentions.append(attention)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        masks, inputs = masks_of(mask, len(inputs)), list(inputs)
        if self.tokens:
            ones = ops.ones_like(inputs[0][:, :1, :1])
            tokens = ones * ops.expand_dims(ops.cast(self.shared, ones.dtype), 0)
        else:
            tokens = inputs.pop()
        outputs, changes, count = [], 0.0, 0.0
        for i, (modality, seen) in enumerate(zip(inputs, masks)):
            modality, moved = self._exchange(i, modality, tokens, seen, training)
            present = ops.ones_like(tokens[:, :1, :1]) if seen is None else some(seen, tokens)
            outputs.append(modality)
            changes, count = changes + present * (moved - tokens), count + present
        return [*outputs, tokens + changes / ops.maximum(count, 1.0)]

    def _exchange(self, index: int, modality: Any, tokens: Any, mask: Any, training: bool | None) -> tuple[Any, Any]:
        """Return a modality and its view of the tokens after they have met."""
        joined = ops.concatenate([modality, tokens], axis=1)
        if mask is not None:
            mask = ops.concatenate([ops.cast(mask, "bool"), ops.ones_like(tokens[:, :, 0], dtype="bool")], axis=1)
        attention = self.attentions[index]
        read = attention(self.norms[index](joined), query_mask=mask, training=training)
        length = ops.shape(modality)[1]
        moved = joined + read
        return moved[:, :length], moved[:, length:]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Pass on each modality's mask; the tokens have none."""
        count = len(inputs) if self.tokens else len(inputs) - 1
        return [*masks_of(mask, len(inputs))[:count], None]

    def compute_output_shape(self, input_shape: Any) -> list:
        shapes = [tuple(shape) for shape in input_shape]
        return [*shapes, (shapes[0][0], self.tokens, shapes[0][-1])] if self.tokens else shapes
