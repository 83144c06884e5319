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

from attention_zoo.core.masks import MASKED, Masks, pair_mask
from attention_zoo.core.rows import compare_rows, mix_rows, scaled, weigh_rows
from attention_zoo.core.windows import Blocks

# Queries in a chunk: the scores of a chunk stay in the cache of a core.
_CHUNK = 256


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


def _way(key: Any, value: Any, parts: Any) -> str:
    """Choose for these arrays; not every backend's fused operation takes values wider or narrower than the keys."""
    if parts.flash:
        return "fused"
    way = choose(key.shape[1])
    return "matmul" if way == "fused" and key.shape[-1] != value.shape[-1] else way


def attend_plain(query: Any, key: Any, value: Any, parts: Any, masks: Masks) -> Any:
    """Attend by softmax over inner products, without a map.

    Args:
        query: [batch, query, head, channel], not yet scaled.
        key: [batch, key, group, channel].
        value: [batch, key, group, value channel].
        parts: the `Parts` in use.
        masks: what may be seen.

    Returns:
        [batch, query, head, value channel].
    """
    way = _way(key, value, parts)
    if way == "chunked" and query.shape[1] is not None and query.shape[1] > _CHUNK:
        return _chunked(query, key, value, parts, masks)
    pattern = parts.pattern
    causal = (
        way == "fused"
        and pattern.zoo_name == "causal"
        and not any(mask is not None for mask in masks)
        and not parts.position.by_distance
    )
    if causal and query.shape[1] == key.shape[1]:
        factor = parts.score.factor(query.shape[-1])
        return ops.dot_product_attention(query, key, value, scale=factor, is_causal=True, flash_attention=parts.flash)
    mask, bias = pair_mask(masks, None), None
    if pattern.zoo_name != "full" or parts.position.by_distance:
        mask, bias = _seen(ops.arange(ops.shape(query)[1]), ops.arange(ops.shape(key)[1]), parts, masks)
    return _clear_rows(_one_way(way, query, key, value, parts, bias, mask), masks, mask)


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
    bias = parts.position.bias(blocks.distance())
    queries = blocks.fold(blocks.cut(query))
    keys, values = (blocks.fold(blocks.around(blocks.cut(array))) for array in (key, value))
    if parts.normalizer.plain and parts.score.soft_cap is None:
        way = _way(keys, values, parts)
        output = _one_way(way, queries, keys, values, parts, bias, mask)
        output = output * ops.cast(ops.transpose(ops.any(mask, -1, keepdims=True), (0, 2, 1, 3)), output.dtype)
    else:
        cut = (scaled(queries, parts), keys, values)
        queries, keys, values = (ops.transpose(array, (0, 2, 1, 3)) for array in cut)
        weights = weigh_rows(compare_rows(queries, keys), parts, bias, mask, training)
        output = ops.transpose(mix_rows(ops.cast(weights, values.dtype), values), (0, 2, 1, 3))
    return _clear_rows(blocks.join(output), Masks(queries=masks.queries), None)


def _seen(queries: Any, keys: Any, parts: Any, masks: Masks) -> tuple[Any, Any]:
    """Return mask and bias of queries and keys at these positions, each broadcasting to the map, or None."""
    query, key = ops.expand_dims(queries, 1), ops.expand_dims(keys, 0)
    return pair_mask(masks, parts.pattern.allowed(query, key)), parts.position.bias(key - query)


def _hidden(bias: Any, mask: Any) -> Any:
    """Write bias and mask as one number to add to the scores, or None."""
    if mask is None:
        return bias
    hidden = ops.where(mask, 0.0, MASKED)
    return hidden if bias is None else bias + hidden


def _one_way(way: str, query: Any, key: Any, value: Any, parts: Any, bias: Any, mask: Any) -> Any:
    """Run the fused or the plain form; rows with no allowed key are left undefined but finite."""
    if way == "fused":
        if bias is not None:
            bias, mask = ops.cast(_four(_hidden(bias, mask)), query.dtype), None
        mask = None if mask is None else _four(mask)
        extra = {"bias": bias, "mask": mask, "flash_attention": parts.flash}
        return ops.dot_product_attention(query, key, value, scale=parts.score.factor(query.shape[-1]), **extra)
    query, key, value = (ops.transpose(array, (0, 2, 1, 3)) for array in (scaled(query, parts), key, value))
    return ops.transpose(_soft(query, key, value, _hidden(bias, mask)), (0, 2, 1, 3))


def _four(array: Any) -> Any:
    """Put axes of size 1 in front until there are four."""
    while len(array.shape) < 4:
        array = ops.expand_dims(array, 0)
    return array


def _soft(query: Any, key: Any, value: Any, extra: Any) -> Any:
    """Multiply, add, softmax in float32, multiply; arrays are [batch, head, length, channel]."""
    scores = ops.cast(compare_rows(query, key), "float32")
    scores = scores if extra is None else scores + extra
    return mix_rows(ops.cast(ops.softmax(scores, axis=-1), value.dtype), value)


def _chunked(query: Any, key: Any, value: Any, parts: Any, masks: Masks) -> Any:
    """Attend chunk by chunk of queries; the scores of one chunk are all that is held at a time."""
    batch, length, heads, channels = ops.shape(query)[0], query.shape[1], query.shape[2], query.shape[3]
    chunks = -(-length // _CHUNK)
    missing = chunks * _CHUNK - length
    query, key, value = (ops.transpose(array, (0, 2, 1, 3)) for array in (scaled(query, parts), key, value))
    padded = ops.pad(query, ((0, 0), (0, 0), (0, missing), (0, 0)))
    padded = ops.transpose(ops.reshape(padded, (batch, heads, chunks, _CHUNK, channels)), (2, 0, 1, 3, 4))
    places = ops.reshape(ops.arange(chunks * _CHUNK), (chunks, _CHUNK))
    keys = ops.arange(ops.shape(key)[2])
    pieces = {"query": padded, "places": places}
    if masks.pairs is not None and masks.pairs.shape[2] != 1:
        pairs = ops.pad(masks.pairs, ((0, 0), (0, 0), (0, missing), (0, 0)))
        pairs = ops.reshape(pairs, (*pairs.shape[:2], chunks, _CHUNK, pairs.shape[3]))
        pieces["pairs"] = ops.transpose(pairs, (2, 0, 1, 3, 4))

    def one(piece: dict) -> Any:
        seen = masks._replace(pairs=piece.get("pairs", masks.pairs))
        mask, bias = _seen(piece["places"], keys, parts, seen)
        return _clear_rows(_soft(piece["query"], key, value, _hidden(bias, mask)), seen._replace(queries=None), mask, 2)

    mixed = ops.map(one, pieces)
    mixed = ops.reshape(ops.transpose(mixed, (1, 0, 3, 2, 4)), (batch, chunks * _CHUNK, heads, value.shape[3]))
    return _clear_rows(mixed[:, :length], Masks(queries=masks.queries), None)


def _clear_rows(output: Any, masks: Masks, mask: Any, axis: int = 1) -> Any:
    """Set to zero the rows of padded queries, and of queries that may see nothing.

    Args:
        output: [batch, query, head, channel], or [batch, head, query, channel] where `axis` is 2.
        masks: as the user gave them; here only the queries' counts.
        mask: all that was allowed, broadcasting to [batch, head, query, key].
        axis: of the queries.
    """
    order = (0, 1, 2, 3) if axis == 2 else (0, 2, 1, 3)
    if mask is not None:
        some = ops.any(_four(mask), axis=-1, keepdims=True)
        output = output * ops.cast(ops.transpose(some, order), output.dtype)
    if masks.queries is not None:
        shown = ops.expand_dims(ops.cast(masks.queries, output.dtype), (1, 3))
        output = output * ops.transpose(shown, order)
    return output
