"""Step-by-step decoding: what was projected once is kept, and each call brings only what is new."""

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import keras
from keras import ops

from attention_zoo.core import Attended, Masks, Tape, cache
from attention_zoo.core.masks import as_pairs, both
from attention_zoo.errors import ZooValueError

# A class that has one of these in its body mixes in a way of its own.
_MIXING = {"call", "attend_heads", "mix_inputs", "mix_heads", "feature_maps"}


class _Casting(keras.layers.Layer):
    """Run a function with weights cast to the compute dtype, as they are within a layer's call."""

    def call(self, function: Callable) -> Any:
        return function()


@functools.cache
def _casting(policy: str) -> _Casting:
    """Return the one layer that runs functions under a dtype policy."""
    return _Casting(dtype=policy)


def cast_weights(method: Callable) -> Callable:
    """Let a method of a layer that is called beside `call` see weights in the compute dtype."""

    @functools.wraps(method)
    def run(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.compute_dtype == layer.variable_dtype:
            return method(layer, *args, **kwargs)
        return _casting(layer.dtype_policy.name)(function=lambda: method(layer, *args, **kwargs))

    return run


class Incremental:
    """Mixed into `MultiHeadAttention`: the same attention, a few tokens at a time.

    The state is a dict of plain tensors whose first axis is the batch, handed in and handed back: gather it along that
    axis to follow the beams of a search, carry it through `keras.ops.while_loop`.

        cache = layer.empty_cache(batch, length)
        output, cache = layer.step(tokens, cache, index)

    gives at each place what one call on the whole sequence gives there: `layer(x)` where the pattern is causal or
    `Prefix` (whose first step must bring the whole prefix), `layer(x, use_causal_mask=True)` otherwise. Attention to
    another sequence projects it once:

        cache = layer.memory_cache(value)
        output = layer.read(query, cache, index)

    A subclass that mixes in another way overrides `cache_shapes`, `cache_entries`, `query_heads` and `attend_cache`,
    and says `steps = True`.

    Cost: a step takes time batch x heads x new x length x channels.
    Source: Shazeer 2019, arXiv:1911.02150, section 2.4 (incremental multi-head attention).
    """

    # True in the body of a class whose own way of mixing can go step by step; it is not inherited.
    steps = False

    def empty_cache(self, batch: Any, length: int) -> dict[str, Any]:
        """Return the state before the first token.

        Args:
            batch: sequences (or beams); may be a tensor.
            length: tokens that there is room for.

        Returns:
            zeros [batch, length, ...] by name.

        Raises:
            ZooValueError: if this attention cannot go step by step, the layer is not built, or length is too small.
        """
        self._refuse_steps()
        least = max(self._step_pattern.prefix or 1, 1)
        if isinstance(length, bool) or not isinstance(length, int) or length < least:
            raise ZooValueError(f"length must be a whole number of at least {least} (tokens), got {length!r}")
        return cache.empty(batch, length, self.cache_shapes(), self.compute_dtype)

    @cast_weights
    def step(self, query: Any, state: dict[str, Any], index: Any, *, value_mask: Any = None) -> tuple[Any, dict]:
        """Attend from new tokens to themselves and to those before them.

        Args:
            query: [batch, new, width].
            state: what `empty_cache`, or the last step, gave.
            index: place of the first new token; int, or int32 tensor without axes.
            value_mask: bool [batch, length of the cache]; False marks padding.

        Returns:
            [batch, new, output width], and the state after these tokens.
        """
        index = index if isinstance(index, int) else ops.cast(index, "int32")
        query = ops.cast(query, self.compute_dtype)
        placed = self.position.embed(query, index)
        entries = self.cache_entries(placed, placed, index)
        state = {name: cache.write(kept, entries[name], index) for name, kept in state.items()}
        keys = None if value_mask is None else ops.cast(value_mask, "bool")
        if self._step_pattern.prefix:
            length = ops.shape(next(iter(state.values())))[1]
            keys = both(keys, cache.written(length, index, ops.shape(query)[1]))
        heads = self.query_heads(placed, index)
        attended = self.attend_cache(heads, state, masks=Masks(keys=keys), start=index, causal=not self._leads)
        return self.finish_heads(attended.output, query), state

    @cast_weights
    def memory_cache(self, value: Any, key: Any = None, value_mask: Any = None) -> dict[str, Any]:
        """Project another sequence once, for all steps that will read it.

        Args:
            value: [batch, key, width].
            key: [batch, key, width]; None is `value`.
            value_mask: bool [batch, key]; False marks padding.

        Returns:
            by name, [batch, key, ...]; the mask is one of them.

        Raises:
            ZooValueError: if this attention cannot go step by step.
        """
        self._refuse_steps()
        value = ops.cast(value, self.compute_dtype)
        key = value if key is None else ops.cast(key, self.compute_dtype)
        placed = self.position.embed(value)
        state = self.cache_entries(placed, placed if key is value else self.position.embed(key), 0)
        return state if value_mask is None else {**state, "mask": ops.cast(value_mask, "bool")}

    @cast_weights
    def read(
        self,
        query: Any,
        state: dict[str, Any],
        index: Any = 0,
        *,
        query_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
    ) -> Any:
        """Attend from new tokens to a sequence that `memory_cache` projected.

        Args:
            query: [batch, new, width].
            state: what `memory_cache` gave.
            index: place of the first new token; int, or int32 tensor without axes.
            query_mask: bool [batch, new].
            attention_mask: bool [batch, new, key].
            return_attention_scores: also return the map; the output stays the same.

        Returns:
            [batch, new, output width], and the map [batch, head, new, key] where asked for.
        """
        index = index if isinstance(index, int) else ops.cast(index, "int32")
        query = ops.cast(query, self.compute_dtype)
        pairs = None if attention_mask is None else as_pairs(attention_mask)
        masks = Masks(query_mask, state.get("mask"), pairs)
        heads = self.query_heads(self.position.embed(query, index), index)
        # An open tape makes any way of mixing form its map.
        with Tape() if return_attention_scores else nullcontext():
            attended = self.attend_cache(heads, state, masks=masks, start=index, causal=False)
        output = self.finish_heads(attended.output, query)
        return (output, attended.weights) if return_attention_scores else output

    def cache_shapes(self) -> dict[str, tuple]:
        """Return the shape of what is kept of a token, by name."""
        groups = self.num_key_value_heads
        return {"key": (groups, self.key_dim), "value": (groups, self.value_dim)}

    def cache_entries(self, value: Any, key: Any, start: Any) -> dict[str, Any]:
        """Return what is kept of tokens [batch, new, width], marked by `position.embed`, the first at `start`."""
        key, value = self.project_memory(value, key)
        key = self._parts(False, False).prepare_key(key, start)
        return {"key": ops.cast(key, self.compute_dtype), "value": ops.cast(value, self.compute_dtype)}

    def query_heads(self, query: Any, start: Any) -> Any:
        """Return queries [batch, new, head, channel], ready for the product, of marked tokens [batch, new, width]."""
        heads = self._parts(False, False).prepare_query(self.project_query(query), start)
        return ops.cast(heads, self.compute_dtype)

    def attend_cache(self, query: Any, state: dict, *, masks: Masks, start: Any, causal: bool) -> Attended:
        """Mix what is kept; `query` is what `query_heads` gave, the rest as for `attend_heads`."""
        options = {"masks": masks, "causal": causal, "training": False}
        return self.attend_heads(query, state["key"], state["value"], start=start, prepared=True, **options)

    @property
    def _leads(self) -> bool:
        """True where the pattern by itself hides what has not come yet."""
        return self._pattern.prefix is not None

    @property
    def _step_pattern(self) -> Any:
        """The pattern that steps go by."""
        return self._pattern if self._leads else self._causal_pattern

    def _refuse_steps(self) -> None:
        """Raise where the sequence cannot come in pieces."""
        name = type(self).__name__
        mixes = next(base for base in type(self).__mro__ if _MIXING & vars(base).keys())
        if not vars(mixes).get("steps", False):
            raise ZooValueError(f"step-by-step decoding wants attention whose past can be kept, got {name}")
        if not self.built:
            raise ZooValueError(f"step-by-step decoding wants a built layer, got {name} {self.name!r} without weights")
        if not self._folding.plain:
            raise ZooValueError(
                f"step-by-step decoding wants inputs [batch, length, width], got attention_axes {self.attention_axes}"
            )
