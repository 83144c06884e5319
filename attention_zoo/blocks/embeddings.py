"""Token numbers to vectors."""

import math
from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Position, get_part
from attention_zoo.errors import ZooValueError

PAD_ID, MASK_ID = 0, 2
SPREAD = 0.1  # standard deviation of new vectors


@keras.saving.register_keras_serializable(package="attention_zoo")
class TokenEmbedding(keras.layers.Layer):
    """Give each token a learned vector, and mark where it stands if asked.

    output = dropped(table[id]) (x sqrt(width) where `scale`) (+ position)

    Args:
        vocabulary_size: number of different ids.
        width: channels of a vector.
        position: absolute position by name, dict or object ("sinusoidal", "learned"); None for none. What acts inside
            attention ("rotary", "alibi" ...) is refused: give it to the attention.
        scale: multiply by sqrt(width), so that vectors are as large as sinusoidal positions.
        token_dropout: share of the tokens replaced by the mask id 2 while training, 0 to 1. A model that has met the
            mask id can be asked what it says without a token.
        seed: of the token dropout.

    Call:
        token_ids: int [batch, time]; more axes may stand between where there is no position. 0 is padding.

    Returns:
        [batch, time, width], with a Keras mask that is False at padding. Padding has a vector too: hide it by the mask.

    Raises:
        ZooValueError: if a number is out of range, or the position is not an absolute one.
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        position: Any = None,
        scale: bool = False,
        token_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, value in {"vocabulary_size": vocabulary_size, "width": width}.items():
            whole_number(name, value)
        if not 0 <= token_dropout < 1:
            raise ZooValueError(f"token_dropout must be at least 0 and under 1, got {token_dropout}")
        self.vocabulary_size, self.width, self.scale = vocabulary_size, width, scale
        self.token_dropout, self.seed = token_dropout, seed
        self.position = get_part("position", position, "none", self.dtype_policy)
        absolute = type(self.position).embed is not Position.embed
        if not absolute and self.position.zoo_name != "none":
            raise ZooValueError(
                f"position must be absolute ('sinusoidal', 'learned', 'none'), got {self.position.zoo_name!r}, "
                "which acts inside attention: give it there"
            )
        self.supports_masking = True
        self.noise = keras.random.SeedGenerator(seed) if token_dropout else None
        self.table = keras.layers.Embedding(
            vocabulary_size,
            width,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=SPREAD),
            name="table",
            dtype=self.dtype_policy,
        )

    def get_config(self) -> dict:
        names = ("vocabulary_size", "width", "scale", "token_dropout", "seed")
        position = keras.saving.serialize_keras_object(self.position)
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "position": position}

    def build(self, input_shape: Any) -> None:
        self.table.build(input_shape)
        if not self.position.built:
            self.position.build((1, self.width, self.width, self.width))

    def call(self, token_ids: Any, training: bool | None = None) -> Any:
        if training and self.noise is not None:
            drawn = keras.random.uniform(ops.shape(token_ids), seed=self.noise, dtype="float32") < self.token_dropout
            hidden = ops.logical_and(drawn, ops.not_equal(token_ids, PAD_ID))
            token_ids = ops.where(hidden, ops.full_like(token_ids, MASK_ID), token_ids)
        vectors = self.table(token_ids)
        return self.position.embed(vectors * math.sqrt(self.width) if self.scale else vectors)

    def compute_mask(self, token_ids: Any, mask: Any = None) -> Any:
        """Return where there is a token."""
        return ops.not_equal(token_ids, PAD_ID)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape, self.width)
