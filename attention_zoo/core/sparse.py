"""A window, some tokens that all see, and some blocks chosen freely: mixed by blocks, in linear time."""

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from attention_zoo.core.attend import MAP_AXES, Attended
from attention_zoo.core.masks import MASKED, Masks, hide_queries, pair_mask, seen_pairs
from attention_zoo.core.patterns import Window
from attention_zoo.core.rows import compare_rows, mix_rows
from attention_zoo.core.tape import Site, tap, watched
from attention_zoo.core.windows import Blocks

# Rows of the table of chosen blocks; a longer sequence starts it again.
_ROWS = 4096


class Heads(NamedTuple):
    """Queries, keys and values, each [batch, head, length, channel], queries already scaled."""

    query: Any
    key: Any
    value: Any


class Layout(NamedTuple):
    """Which keys a query sees: those of the window, the first tokens, and those of the chosen blocks.

    Args:
        window: a bounded pattern, or `Neighbours`.
        tokens: tokens at the start that see all and are seen by all.
        size: tokens in a block; None lets the window say.
        table: int [rows, choices], see `chosen_blocks`; None chooses none.
    """

    window: Any
    tokens: int
    size: int | None = None
    table: Any = None

    def choices(self, queries: Any, keys: Any) -> Any:
        """Return the blocks of keys that each block of queries sees, int [queries, choices]; arguments count blocks."""
        rows = ops.take(ops.convert_to_tensor(self.table), ops.arange(queries) % _ROWS, axis=0)
        return rows % keys

    def allowed(self, queries: Any, keys: Any, causal: bool) -> Any:
        """Say which pairs may meet, bool [query, key]; arguments count tokens."""
        query, key = ops.expand_dims(ops.arange(queries), 1), ops.expand_dims(ops.arange(keys), 0)
        seen = self.window.allowed(query, key)
        seen = ops.logical_or(seen, ops.logical_or(query < self.tokens, key < self.tokens))
        if self.table is not None:
            found = self.choices(-(-queries // self.size), -(-keys // self.size))
            found = ops.expand_dims(ops.take(found, ops.arange(queries) // self.size, axis=0), 2)
            seen = ops.logical_or(seen, ops.any(ops.equal(found, ops.expand_dims(key // self.size, 0)), axis=1))
        return ops.logical_and(seen, key <= query) if causal else seen


def chosen_blocks(choices: int, seed: int) -> np.ndarray:
    """Draw which blocks are seen beyond the window: int32 [rows, choices], to be taken modulo the number of blocks."""
    return np.random.default_rng(seed).integers(0, 2**30, (_ROWS, choices)).astype("int32")


def attend_sparse(
    near: Heads, far: Heads, layout: Layout, *, path: str, masks: Masks, causal: bool, need_weights: bool
) -> Attended:
    """Mix within a layout: rows of the first tokens from `far`, all others from `near`.

    Args:
        near: heads of the window and of what is chosen.
        far: heads of the first tokens' own rows, which see everything.
        layout: which keys are seen.
        path: name of the place in the model, for the tap.
        masks: what may be seen.
        causal: hide later keys.
        need_weights: True to form the map.

    Returns:
        [batch, head, query, value channel], and the map where asked for.

    Cost: time and memory batch x heads x length x (window + tokens + chosen keys), by blocks. With a map, with a mask
    of pairs, or where queries and keys differ in length, batch x heads x query x key.
    """
    if need_weights or masks.pairs is not None or near.query.shape[2] != near.key.shape[2]:
        return _with_map(near, far, layout, path, masks, causal)
    count = layout.tokens
    first = _first_rows(far, count, masks, causal)
    rest = _by_blocks(near, layout, masks, causal)
    return Attended(hide_queries(ops.concatenate([first, rest[:, :, count:]], axis=2), masks), None)


class Neighbours(NamedTuple):
    """The window of whole blocks: q and k meet where |q // size - k // size| <= reach.

    Args:
        size: tokens in a block.
        reach: blocks to each side.
    """

    size: int
    reach: int

    def allowed(self, query: Any, key: Any) -> Any:
        """Say which pairs of positions may meet, as `Pattern.allowed`."""
        return ops.abs(query // self.size - key // self.size) <= self.reach

    @property
    def window(self) -> Window:
        """The widest reach, as `Pattern.window`."""
        return Window(self.size * self.reach, self.size * self.reach)


class _Beyond(NamedTuple):
    """A window without the first tokens, which are scored by themselves."""

    window: Any
    tokens: int
    causal: bool

    def allowed(self, query: Any, key: Any) -> Any:
        """Say which pairs of positions may meet."""
        seen = ops.logical_and(self.window.allowed(query, key), key >= self.tokens)
        return ops.logical_and(seen, key <= query) if self.causal else seen


def _with_map(near: Heads, far: Heads, layout: Layout, path: str, masks: Masks, causal: bool) -> Attended:
    """Form the map, pass it through the tap and mix."""
    allowed = layout.allowed(ops.shape(near.query)[2], ops.shape(near.key)[2], causal)
    mask, count = pair_mask(masks, ops.expand_dims(allowed, (0, 1))), layout.tokens
    first = _softmax(compare_rows(far.query[:, :, :count], far.key), mask[:, :, :count])
    rest = _softmax(compare_rows(near.query[:, :, count:], near.key), mask[:, :, count:])
    weights = hide_queries(ops.concatenate([first, rest], axis=2), masks)
    seen = seen_pairs(masks, ops.expand_dims(allowed, (0, 1))) if watched() else None
    weights = tap(Site(path, "mix", MAP_AXES), ops.cast(weights, near.value.dtype), seen)
    output = [mix_rows(weights[:, :, :count], far.value), mix_rows(weights[:, :, count:], near.value)]
    return Attended(ops.concatenate(output, axis=2), weights)


def _softmax(scores: Any, mask: Any) -> Any:
    """Weigh in float32; what is masked gets exactly zero."""
    scores = ops.where(mask, ops.cast(scores, "float32"), MASKED)
    return ops.where(mask, ops.softmax(scores, axis=-1), 0.0)


def _first_rows(far: Heads, count: int, masks: Masks, causal: bool) -> Any:
    """Mix the first tokens, which see everything: [batch, head, count, value channel]."""
    query = far.query[:, :, :count]
    key = ops.expand_dims(ops.arange(ops.shape(far.key)[2]), 0)
    allowed = key <= ops.expand_dims(ops.arange(ops.shape(query)[2]), 1) if causal else key >= 0
    weights = _softmax(compare_rows(query, far.key), pair_mask(masks, allowed))
    return mix_rows(ops.cast(weights, far.value.dtype), far.value)


def _by_blocks(near: Heads, layout: Layout, masks: Masks, causal: bool) -> Any:
    """Mix all tokens by blocks: [batch, head, length, value channel].

    The scores of the window, of the first tokens and of the chosen blocks stand side by side under one softmax; the
    keys do not, so that none is copied more often than it must be.
    """
    query, key, value = (ops.transpose(array, (0, 2, 1, 3)) for array in near)
    blocks = Blocks(layout.window.window, ops.shape(query)[0], ops.shape(query)[1], layout.size)
    queries = blocks.fold(blocks.cut(query))
    keys, values = (blocks.fold(blocks.around(blocks.cut(array))) for array in (key, value))
    first_keys, first_values = (_first(array, layout.tokens) for array in (near.key, near.value))
    scores = [ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))]
    seen = [blocks.mask(_Beyond(layout.window, layout.tokens, causal), masks)]
    early = ops.matmul(near.query, ops.transpose(first_keys, (0, 1, 3, 2)))
    scores.append(blocks.fold(blocks.cut(ops.transpose(early, (0, 2, 1, 3)))))
    seen.append(_early_mask(blocks, layout.tokens, masks, causal))
    if layout.table is not None:
        chosen = _Chosen(layout, blocks)
        scores.append(ops.matmul(queries, ops.transpose(chosen.gather(key), (0, 1, 3, 2))))
        seen.append(chosen.mask(masks, causal))
    weights = ops.cast(_softmax(ops.concatenate(scores, -1), ops.concatenate(seen, -1)), value.dtype)
    near_end, early_end = keys.shape[2], keys.shape[2] + layout.tokens
    output = ops.matmul(weights[..., :near_end], values)
    if layout.table is not None:
        output = output + ops.matmul(weights[..., early_end:], chosen.gather(value))
    early = ops.transpose(blocks.join(weights[..., near_end:early_end]), (0, 2, 1, 3))
    return ops.transpose(blocks.join(output), (0, 2, 1, 3)) + ops.matmul(early, first_values)


def _first(array: Any, count: int) -> Any:
    """Return the first `count` positions of [batch, head, length, channel], zeros where there are fewer."""
    length = ops.shape(array)[2]
    if not isinstance(length, int) or length < count:
        end = ops.zeros((ops.shape(array)[0], array.shape[1], count, array.shape[3]), dtype=array.dtype)
        array = ops.concatenate([array, end], axis=2)[:, :, :count]
        return ops.reshape(array, (ops.shape(array)[0], array.shape[1], count, array.shape[3]))
    return array[:, :, :count]


def _early_mask(blocks: Blocks, count: int, masks: Masks, causal: bool) -> Any:
    """Say which of the first tokens each query of a block sees: bool [batch x blocks, 1, size, count]."""
    query, _ = blocks.positions()
    key = ops.arange(count)
    allowed = ops.logical_and(key < blocks.length, key <= query if causal else query >= 0)
    if masks.keys is None:
        present = ops.ones((blocks.batch, 1, 1, 1, 1), dtype="bool")
    else:
        column = _first(ops.expand_dims(ops.cast(masks.keys, "float32"), (1, 3)), count)
        present = ops.expand_dims(ops.transpose(column, (0, 1, 3, 2)), 1) > 0.5
    return ops.expand_dims(blocks.fold(ops.logical_and(ops.expand_dims(allowed, 0), present)), 1)


class _Chosen:
    """The blocks chosen for each block of queries.

    Args:
        layout: which are chosen.
        blocks: how the sequence is cut.
    """

    def __init__(self, layout: Layout, blocks: Blocks):
        self.layout, self.blocks = layout, blocks
        self.count, self.size = layout.table.shape[1], blocks.size
        self.index = layout.choices(blocks.count, blocks.count)

    def gather(self, array: Any) -> Any:
        """Take the chosen blocks of [batch, length, head, channel]: [batch x blocks, head, choices x size, channel]."""
        blocks, heads, channels = self.blocks, array.shape[2], array.shape[3]
        cut = blocks.cut(array)[:, 0]
        taken = ops.take(cut, ops.reshape(self.index, (-1,)), axis=1)
        shape = (blocks.batch, blocks.count, self.count, heads, self.size, channels)
        taken = ops.transpose(ops.reshape(taken, shape), (0, 1, 3, 2, 4, 5))
        return ops.reshape(taken, (blocks.batch * blocks.count, heads, self.count * self.size, channels))

    def mask(self, masks: Masks, causal: bool) -> Any:
        """Say which chosen keys are not seen otherwise: bool [batch x blocks, 1, size, choices x size]."""
        blocks, layout = self.blocks, self.layout
        earlier = np.tril(np.ones((self.count, self.count), bool), -1)
        same = ops.equal(ops.expand_dims(self.index, 2), ops.expand_dims(self.index, 1))
        again = ops.any(ops.logical_and(same, ops.convert_to_tensor(earlier)), axis=2)
        key = ops.expand_dims(self.index * self.size, 2) + ops.arange(self.size)
        new = ops.logical_and(ops.logical_not(ops.expand_dims(again, 2)), key < blocks.length)
        new = ops.logical_and(new, key >= layout.tokens)
        shape = (blocks.count, 1, self.count * self.size)
        key, new = ops.reshape(key, shape), ops.reshape(new, shape)
        query = blocks.positions()[0][0]
        allowed = ops.logical_and(new, ops.logical_not(layout.window.allowed(query, key)))
        allowed = ops.logical_and(allowed, key <= query) if causal else allowed
        present = ops.ones((blocks.batch, 1, 1, 1), dtype="bool")
        if masks.keys is not None:
            taken = self.gather(ops.expand_dims(ops.cast(masks.keys, "float32"), (2, 3)))
            taken = ops.reshape(taken, (blocks.batch, blocks.count, 1, self.count * self.size))
            present = taken > 0.5
        seen = ops.logical_and(ops.expand_dims(allowed, 0), present)
        return ops.expand_dims(blocks.fold(ops.expand_dims(seen, 1)), 1)
