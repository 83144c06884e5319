"""A querying transformer layer: a few learned tokens take from an image what another model can use."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.layers.fusion.cross_modal import Crossing
from attention_zoo.layers.fusion.dense import normalize, project


@keras.saving.register_keras_serializable(package="attention_zoo")
class QueryFormer(Crossing):
    """Let learned queries attend to each other, read a modality, and think.

    q = norm(q + attend(q, q)), q = norm(q + attend(q, inputs)), output = norm(q + W_2 gelu(W_1 q))

    Args:
        queries: learned tokens.
        num_heads: heads of both attentions.
        key_dim: channels of each head.
        feed_forward: channels in between of the last part.
        width: channels of the queries; None is the width of the inputs.
        dropout: share of the attention weights dropped while training, 0 to 1.
        seed: of the dropout.

    Call:
        inputs: [batch, length, own width]: patches of an image, frames of a sound.
        mask: bool [batch, length]; False marks padding. All False is a missing modality: the queries talk to each other
            alone, and the output is the same for every such example.

    Returns:
        [batch, queries, width].

    Raises:
        ZooValueError: if a number is under 1 or dropout is out of range.

    Cost: time and memory batch x heads x queries x (queries + length).
    Source: Li et al. 2023, arXiv:2301.12597, section 3.1, figure 2. Differs: one layer, without the text branch that
    shares its self-attention.
    """

    def __init__(
        self,
        queries: int,
        num_heads: int,
        key_dim: int,
        feed_forward: int,
        width: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_heads, key_dim, dropout=dropout, seed=seed, **kwargs)
        self.queries = whole_number("queries", queries, unit="tokens")
        self.feed_forward = whole_number("feed_forward", feed_forward, unit="channels")
        self.width = None if width is None else whole_number("width", width, unit="channels")

    def get_config(self) -> dict:
        own = {"queries": self.queries, "feed_forward": self.feed_forward, "width": self.width}
        return {**super().get_config(), **own}

    def build(self, input_shape: Any) -> None:
        width = self.width or input_shape[-1]
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.tokens = self.add_weight(shape=(1, self.queries, width), initializer=start, name="tokens")
        shape = (None, self.queries, width)
        self.talking = self._attention("talking", shape, shape)
        self.reading = self._attention("reading", shape, input_shape)
        self.norms = [normalize(self, f"{name}_norm", width) for name in ("talking", "reading", "thinking")]
        self.expand = project(self, "expand", self.feed_forward, width, activation="gelu")
        self.contract = project(self, "contract", width, self.feed_forward)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        query = ops.ones_like(inputs[:, :1, :1]) * ops.cast(self.tokens, inputs.dtype)
        query = self.norms[0](query + self.talking(query, training=training))
        query = self.norms[1](query + self._read(self.reading, query, inputs, (None, mask), training))
        return self.norms[2](query + self.contract(self.expand(query)))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Drop the mask of the length, which is gone."""
        return None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], self.queries, self.width or input_shape[-1])
