"""Which way to compute plain attention: the result is one, the speed is not.

`paths.json` says which way was fastest, by backend, device and length of the keys. `benchmarks/paths.py` measures and
writes it; nothing here knows a backend by name.
"""

import functools
import json
from pathlib import Path
from typing import Any

import keras
from keras import ops

from attention_zoo.core.masks import MASKED, Masks, both, pair_mask
from attention_zoo.core.positions import Places, at_origin, places_from
from attention_zoo.core.rows import compare_rows, mix_rows, scaled, softmax_rows, weigh_rows
from attention_zoo.core.tape import remat
from attention_zoo.core.windows import Blocks

# Queries in a chunk: the scores of a chunk of one head stay in the cache of a core.
_CHUNK = 512
# Tokens of a sequence whose blocks are attended together by the fused operation.
_TOGETHER = 1024


@functools.cache
def _table() -> dict:
    """Read the measured table once."""
    return json.loads(Path(__file__).with_name("paths.json").read_text(encoding="utf-8"))["paths"]


def _device() -> str:
    """Name the kind of device that computes here: "cpu", "gpu", "tpu"."""
    try:
        name = keras.distribution.list_devices()[0]
    except AttributeError:  # one backend has no list of devices, but its tensors know where they are
        name = str(ops.convert_to_tensor(0.0).device)
    return name.split(":")[0].lower().replace("cuda", "gpu")


def choose(length: int | None) -> str:
    """Name the way that was measured to be fastest here.

    Args:
        length: of the keys (tokens); None where it is not known while tracing.

    Returns:
        "fused" (the backend's own operation), "matmul" or "chunked".
    """
    rows = _table().get(f"{keras.backend.backend()}/{_device()}", [{"from": 0, "way": "fused"}])
    known = [row["way"] for row in rows if row["from"] <= (length or 0)]
    return known[-1]


def _way(length: int | None, key: Any, value: Any, parts: Any) -> str:
    """Choose for `length` keys; not every backend's fused operation takes values of another width than the keys."""
    if parts.flash:
        return "fused"
    way = choose(length)
    return "matmul" if way == "fused" and key.shape[-1] != value.shape[-1] else way


def attend_plain(query: Any, key: Any, value: Any, parts: Any, masks: Masks, start: Any = 0) -> Any:
    """Attend by softmax over inner products, without a map.

    Args:
        query: [batch, query, head, channel], not yet scaled.
        key: [batch, key, group, channel].
        value: [batch, key, group, value channel].
        parts: the `Parts` in use.
        masks: what may be seen.
        start: place of the first query, where keys count from 0.

    Returns:
        [batch, query, head, value channel].
    """
    way = _way(key.shape[1], key, value, parts)
    # Queries that begin elsewhere are few: the newest of a cached sequence, or one segment behind its memory.
    whole = at_origin(start) and not parts.position.has_bias
    if way == "chunked" and query.shape[1] is not None and masks.pairs is None and whole:
        return _chunked(query, key, value, parts, masks)
    pattern = parts.pattern
    causal = way == "fused" and pattern.zoo_name == "causal" and whole and not any(mask is not None for mask in masks)
    if causal and query.shape[1] == key.shape[1]:
        factor = parts.score.factor(query.shape[-1])
        return ops.dot_product_attention(query, key, value, scale=factor, is_causal=True, flash_attention=parts.flash)
    mask, bias = pair_mask(masks, None), None
    if pattern.zoo_name != "full" or parts.position.has_bias:
        queries, keys = places_from(start, ops.shape(query)[1]), ops.arange(ops.shape(key)[1])
        mask, bias = _seen(Places(ops.expand_dims(queries, 1), ops.expand_dims(keys, 0)), parts, masks)
    if way == "fused":
        return _clear_rows(_fused(query, key, value, parts, bias, mask), masks, mask)
    query, key, value = (ops.transpose(array, (0, 2, 1, 3)) for array in (scaled(query, parts), key, value))
    output = ops.transpose(_soft(query, key, value, _hidden(bias, mask)), (0, 2, 1, 3))
    return _clear_rows(output, masks, mask)


def attend_blocks(query: Any, key: Any, value: Any, parts: Any, masks: Masks, training: bool | None) -> Any:
    """Attend within a bounded pattern, block by block.

    Args:
        query: [batch, length, head, channel], not yet scaled.
        key: [batch, length, group, channel].
        value: [batch, length, group, value channel].
        parts: the `Parts` in use; the score is an inner product and the bias depends on distance alone.
        masks: of queries and keys; no pairs.
        training: True while fitting.

    Returns:
        [batch, length, head, value channel].
    """
    blocks = Blocks(parts.pattern.window, ops.shape(query)[0], ops.shape(query)[1])
    mask = blocks.mask(parts.pattern, masks)
    # Every block has the same distances; a bias that the blocked form can run looks at nothing else.
    bias = parts.position.bias(Places(0, blocks.distance())) if parts.position.has_bias else None
    plain = parts.normalizer.plain and parts.score.soft_cap is None
    if plain and _way(blocks.size * (blocks.before + 1 + blocks.after), key, value, parts) == "fused":
        output = _fused_blocks(blocks, (query, key, value), parts, bias, mask)
        return _clear_rows(blocks.join(output), Masks(queries=masks.queries), None)
    queries = blocks.fold(blocks.cut(query))
    keys, values = (blocks.fold(blocks.around(blocks.cut(array))) for array in (key, value))
    if not plain:
        weights = weigh_rows(compare_rows(scaled(queries, parts), keys), parts, bias, mask, training)
        output = mix_rows(ops.cast(weights, values.dtype), values)
    else:
        output = _soft(scaled(queries, parts), keys, values, _hidden(bias, mask))
        output = output * ops.cast(ops.any(mask, -1, keepdims=True), output.dtype)
    return _clear_rows(blocks.join(output), Masks(queries=masks.queries), None)


def _fused_blocks(blocks: Blocks, arrays: tuple[Any, Any, Any], parts: Any, bias: Any, mask: Any) -> Any:
    """Run the fused operation on some blocks after the other: what they copy stays in the cache.

    The blocks already lie in memory as the operation wants them.
    """
    query, key, value = (blocks.cut(array) for array in arrays)
    key, value, mask = blocks.padded(key), blocks.padded(value), blocks.unfold(mask)
    found = []
    for part in blocks.groups(_TOGETHER):
        seen = blocks.fold(mask[:, :, part])
        cut = (query[:, :, part], blocks.near(key, part), blocks.near(value, part))
        turned = (ops.transpose(blocks.fold(array), (0, 2, 1, 3)) for array in cut)
        output = ops.transpose(_fused(*turned, parts, bias, seen), (0, 2, 1, 3))
        found.append(blocks.unfold(output * ops.cast(ops.any(seen, -1, keepdims=True), output.dtype)))
    return blocks.fold(found[0] if len(found) == 1 else ops.concatenate(found, axis=2))


def _seen(places: Places, parts: Any, masks: Masks) -> tuple[Any, Any]:
    """Return mask and bias of queries and keys at these places, each broadcasting to the map, or None."""
    return pair_mask(masks, parts.pattern.allowed(*places)), parts.position.bias(places)


def _hidden(bias: Any, mask: Any) -> Any:
    """Write bias and mask as one number to add to the scores, or None."""
    if mask is None:
        return bias
    hidden = ops.where(mask, 0.0, MASKED)
    return hidden if bias is None else bias + hidden


def _fused(query: Any, key: Any, value: Any, parts: Any, bias: Any, mask: Any) -> Any:
    """Run the backend's own operation on [batch, length, head, channel]; rows that see nothing are finite."""
    if bias is not None:
        bias, mask = ops.cast(_four(_hidden(bias, mask)), query.dtype), None
    extra = {"bias": bias, "mask": None if mask is None else _four(mask), "flash_attention": parts.flash}
    return ops.dot_product_attention(query, key, value, scale=parts.score.factor(query.shape[-1]), **extra)


def _four(array: Any) -> Any:
    """Put axes of size 1 in front until there are four."""
    while len(array.shape) < 4:
        array = ops.expand_dims(array, 0)
    return array


def _soft(query: Any, key: Any, value: Any, extra: Any) -> Any:
    """Multiply, add, softmax in float32, multiply: [batch, head, length, channel]; rows that see nothing are finite."""
    scores = ops.cast(compare_rows(query, key), "float32")
    scores = scores if extra is None else scores + extra
    return mix_rows(ops.cast(softmax_rows(scores), value.dtype), value)


def _chunked(query: Any, key: Any, value: Any, parts: Any, masks: Masks) -> Any:
    """Attend head by head and chunk by chunk of queries, and once more in the backward pass.

    The scores of one chunk of one head are all that is held at a time: never the map.
    """
    batch, length, heads = ops.shape(query)[0], query.shape[1], query.shape[2]
    size = min(_CHUNK, length)
    chunks = -(-length // size)
    queries, keys, values = (_by_head(array, heads) for array in (scaled(query, parts), key, value))
    queries = ops.pad(queries, ((0, 0), (0, chunks * size - length), (0, 0)))
    queries = ops.reshape(queries, (batch * heads, chunks, size, query.shape[3]))
    places = ops.reshape(ops.arange(chunks * size), (chunks, size))
    pieces = {"queries": queries, "keys": ops.transpose(keys, (0, 2, 1)), "values": values}
    if masks.keys is not None:
        pieces["present"] = ops.repeat(ops.expand_dims(ops.cast(masks.keys, "bool"), 1), heads, axis=0)

    def one_head(piece: dict) -> Any:
        rest = [piece[name] for name in ("keys", "values", "present") if name in piece]
        return ops.map(lambda chunk: remat(one_chunk, *chunk, *rest), (piece["queries"], places))

    def one_chunk(queries: Any, places: Any, keys: Any, values: Any, present: Any = None) -> Any:
        key_places = ops.expand_dims(ops.arange(ops.shape(keys)[1]), 0)
        mask = both(parts.pattern.allowed(ops.expand_dims(places, 1), key_places), present)
        scores = ops.cast(ops.matmul(queries, keys), "float32")
        scores = scores if mask is None else ops.where(mask, scores, MASKED)
        mixed = ops.matmul(ops.cast(softmax_rows(scores), values.dtype), values)
        return mixed if mask is None else mixed * ops.cast(ops.any(mask, axis=-1, keepdims=True), mixed.dtype)

    mixed = ops.reshape(ops.map(one_head, pieces), (batch, heads, chunks * size, value.shape[3]))
    return _clear_rows(ops.transpose(mixed, (0, 2, 1, 3))[:, :length], Masks(queries=masks.queries), None)


def _by_head(array: Any, heads: int) -> Any:
    """Bring [batch, length, group, channel] to [batch x head, length, channel]; heads of a group get the same."""
    batch, length, groups, channels = ops.shape(array)[0], ops.shape(array)[1], array.shape[2], array.shape[3]
    array = array if groups == heads else ops.repeat(array, heads // groups, axis=2)
    return ops.reshape(ops.transpose(array, (0, 2, 1, 3)), (batch * heads, length, channels))


def _clear_rows(output: Any, masks: Masks, mask: Any) -> Any:
    """Set to zero the rows of padded queries, and of queries that may see nothing.

    Args:
        output: [batch, query, head, channel].
        masks: as the user gave them; here only the queries' counts.
        mask: all that was allowed, broadcasting to [batch, head, query, key].
    """
    if mask is not None:
        some = ops.any(_four(mask), axis=-1, keepdims=True)
        output = output * ops.cast(ops.transpose(some, (0, 2, 1, 3)), output.dtype)
    if masks.queries is not None:
        output = output * ops.expand_dims(ops.cast(masks.queries, output.dtype), (2, 3))
    return output
