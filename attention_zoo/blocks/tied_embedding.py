"""One table for both ends of a decoder: tokens to vectors, and vectors to tokens."""

import math
from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.embeddings import TokenEmbedding


@keras.saving.register_keras_serializable(package="attention_zoo")
class TiedEmbedding(TokenEmbedding):
    """Give each token a learned vector, and score each token for a vector, by the same table.

    output = table[id] (x sqrt(width) where `scale`) (+ position), logits = vector . table

    One such layer can serve the source, the target and the logits of a translator: call it on the source's ids first,
    and then give it to the decoder as `embedding`. It stays one layer with one weight in a `.keras` file too. The table
    starts with variance 1 / width: so scaled vectors, and logits of normalised vectors, start with variance 1.

    Args:
        vocabulary_size: number of different ids.
        width: channels of a vector.
        position: absolute position by name, dict or object ("sinusoidal", "learned"); None for none.
        scale: multiply by sqrt(width).

    Call:
        token_ids: int [batch, time]; 0 is padding.
        start: place of the first token; int, or int32 tensor without axes.

    Returns:
        [batch, time, width], with a Keras mask that is False at padding.

    Raises:
        ZooValueError: as `TokenEmbedding`.

    Source: Press, Wolf 2016, arXiv:1608.05859; Vaswani et al. 2017, arXiv:1706.03762, section 3.4.
    """

    def __init__(self, vocabulary_size: int, width: int, position: Any = None, scale: bool = True, **kwargs: Any):
        # No token dropout: its mask id is the beginning of a target here.
        super().__init__(vocabulary_size, width, position, scale, 0.0, None, **kwargs)
        self.table.embeddings_initializer = keras.initializers.RandomNormal(stddev=width**-0.5)

    def get_config(self) -> dict:
        config = super().get_config()
        return {name: value for name, value in config.items() if name not in ("token_dropout", "seed")}

    def call(self, token_ids: Any, start: Any = 0, training: bool | None = None) -> Any:
        vectors = self.table(token_ids)
        return self.position.embed(vectors * math.sqrt(self.width) if self.scale else vectors, start)

    def logits(self, vectors: Any) -> Any:
        """Return float32 [batch, ..., vocabulary] for vectors [batch, ..., width]; there is no bias."""
        table = ops.transpose(ops.cast(self.table.embeddings, self.compute_dtype))
        return ops.cast(ops.matmul(ops.cast(vectors, self.compute_dtype), table), "float32")
