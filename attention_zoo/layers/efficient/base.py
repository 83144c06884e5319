"""What attention without a whole map has in common: its call, what it refuses, its dropout."""

from typing import Any

from keras import ops

from attention_zoo.core import Attended, Masks, watched
from attention_zoo.core.masks import both
from attention_zoo.core.projection import project
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.multi_head import MultiHeadAttention

PARTS = ("score", "normalizer", "position", "pattern", "talking_heads", "sliding_window", "flash_attention")


class EfficientAttention(MultiHeadAttention):
    """Base of attention that is not `core.attend`; a subclass overrides `mix_heads`, and says here what it takes.

    Arguments of `MultiHeadAttention` that the algorithm has no use for are refused, not ignored. Dropout acts on the
    heads' outputs: there is no map to drop weights from. While somebody looks, the map is formed that the algorithm
    implies, so that output = map @ values.
    """

    # Parts and arrangements of `MultiHeadAttention` that it takes, and the positions among them.
    takes: tuple[str, ...] = ("position",)
    positions: tuple[str, ...] = ("none", "sinusoidal", "learned")
    # Names of arguments that it has beyond those of `MultiHeadAttention`.
    own: tuple[str, ...] = ()
    # Projections that it makes of its inputs.
    projects: tuple[str, ...] = ("query", "key", "value")
    # Forms of the call that the algorithm allows.
    crosses, hides_later, takes_pairs = True, True, True

    def __init__(self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0, **kwargs: Any):
        for name in (*PARTS, "num_key_value_heads"):
            if name not in self.takes and kwargs.get(name):
                raise ZooValueError(f"{name} must be left out: {type(self).__name__} has none, got {kwargs[name]!r}")
        super().__init__(num_heads, key_dim, value_dim, dropout, **kwargs)
        if self.position.zoo_name not in self.positions:
            known = ", ".join(repr(name) for name in self.positions)
            raise ZooValueError(
                f"position of {type(self).__name__} must be one of {known}, got {self.position.zoo_name!r}"
            )

    def get_config(self) -> dict:
        config = {**super().get_config(), **{name: getattr(self, name) for name in self.own}}
        for name in (*PARTS, "num_key_value_heads"):
            if name not in self.takes:
                config.pop(name)
        return config

    def _projection(self, name: str, width: int, heads: int, channels: int) -> Any:
        unused = name in ("query", "key", "value") and name not in self.projects
        return None if unused else super()._projection(name, width, heads, channels)

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
        self._refuse(query, value, attention_mask, use_causal_mask)
        query_mask = mask if query_mask is None else query_mask
        if value is None:
            value, value_mask = query, query_mask if value_mask is None else value_mask
        masks = self._masks(query_mask, both(value_mask, key_mask), attention_mask)
        fold = self._folding.fold
        inputs = fold(query)
        placed = self._embedded(inputs, fold(value), fold(value if key is None else key))
        attended = self.mix_inputs(
            *placed,
            masks=masks,
            causal=use_causal_mask,
            need_weights=return_attention_scores or watched(),
            training=training,
        )
        heads = ops.cast(attended.output, self.compute_dtype)
        heads = self.dropout_layer(heads, training=training) if self.dropout else heads
        output = self._folding.unfold(self.finish_heads(heads, inputs), query)
        if not return_attention_scores:
            return output
        return output, self._folding.unfold_map(attended.weights, query, value)

    def _refuse(self, query: Any, value: Any, attention_mask: Any, causal: bool) -> None:
        """Raise where the call asks for what the algorithm does not allow."""
        name = type(self).__name__
        if not self.crosses and value is not None and value is not query:
            raise ZooValueError(f"value must be left out: {name} reads one sequence, got a second one")
        if not self.takes_pairs and attention_mask is not None:
            raise ZooValueError(f"attention_mask must be left out: {name} compares no pairs, got one")
        if not self.hides_later and causal:
            raise ZooValueError(f"use_causal_mask must be False: {name} cannot hide later keys, got True")

    def mix_inputs(self, query: Any, value: Any, key: Any, *, training: bool | None, **options: Any) -> Attended:
        """Project the inputs [batch, length, width] and mix the heads; other arguments as those of `mix_heads`."""
        pairs = ((self.query_dense, query), (self.key_dense, key), (self.value_dense, value))
        heads = [None if dense is None else ops.transpose(project(dense, x), (0, 2, 1, 3)) for dense, x in pairs]
        attended = self.mix_heads(*heads, **options)
        return Attended(ops.transpose(attended.output, (0, 2, 1, 3)), attended.weights)

    def mix_heads(
        self, query: Any, key: Any, value: Any, *, masks: Masks, causal: bool, need_weights: bool
    ) -> Attended:
        """Mix the projected heads.

        Args:
            query: [batch, head, query, channel].
            key: [batch, group, key, channel].
            value: [batch, group, key, value channel].
            masks: what may be seen.
            causal: hide later keys.
            need_weights: True to form the map.

        Returns:
            [batch, head, query, value channel], and the map where asked for.
        """
        raise ZooValueError(f"mix_heads must be written by {type(self).__name__}, got none")


def within(length: Any, most: int) -> Any:
    """Return `length`; where it is known and over `most`, say so."""
    if isinstance(length, int) and length > most:
        raise ZooValueError(f"max_length must be at least the length of the inputs, got {most} for {length} tokens")
    return length


def take_rows(array: Any, index: Any) -> Any:
    """Take rows of [batch, head, length, channel] by positions [batch, head, <any>, <any>]; the channels come last."""
    heads, channels = array.shape[1], array.shape[3]
    batch, length = ops.shape(array)[0], ops.shape(array)[2]
    start = ops.reshape(ops.arange(batch * heads) * length, (batch, heads, 1, 1))
    return ops.take(ops.reshape(array, (batch * heads * length, channels)), index + start, axis=0)
