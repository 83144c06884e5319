"""Learned queries: they do not depend on the inputs, and every sequence is asked the same."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import share, whole_number


def for_each(queries: Any, inputs: Any) -> Any:
    """Repeat learned queries for every sequence of a batch.

    Args:
        queries: [1, query, width].
        inputs: [batch, <any>], whose batch and precision the result takes.

    Returns:
        [batch, query, width].
    """
    return ops.repeat(ops.cast(queries, inputs.dtype), ops.shape(inputs)[0], axis=0)


class LearnedQueries(keras.layers.Layer):
    """Hold what layers with learned queries share: the arguments of their attention, and the queries' making.

    Args:
        num_heads: heads.
        key_dim: channels of each head; None is the width of the queries over the heads.
        dropout: share of the weights dropped while training, 0 to 1.
        seed: of the dropout.

    Raises:
        ZooValueError: if num_heads or key_dim is no positive whole number, or dropout out of range.
    """

    def __init__(
        self,
        num_heads: int = 4,
        key_dim: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = whole_number("num_heads", num_heads)
        self.key_dim = None if key_dim is None else whole_number("key_dim", key_dim)
        self.supports_masking = True
        self.dropout, self.seed = share("dropout", dropout), seed

    def get_config(self) -> dict:
        names = ("num_heads", "key_dim", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def settings(self, width: int, name: str = "attention") -> dict[str, Any]:
        """Return the arguments of a multi-head attention whose queries have `width` channels."""
        channels = self.key_dim or max(width // self.num_heads, 1)
        shared = {"dropout": self.dropout, "seed": self.seed, "dtype": self.dtype_policy}
        return {"num_heads": self.num_heads, "key_dim": channels, "name": name, **shared}

    def queries(self, name: str, count: int, width: int) -> Any:
        """Create learned queries [1, count, width]."""
        return self.add_weight(shape=(1, count, width), initializer="glorot_uniform", name=name)
