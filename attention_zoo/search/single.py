"""One hypothesis for each sentence: greedy search and sampling."""

from typing import Any

from attention_zoo.search.scoring import coverage_score, length_penalty, start_coverage
from attention_zoo.search.settings import Decoding


def start(arrays: Any, settings: Decoding, source_mask: Any) -> dict[str, Any]:
    """Return the state before the first token.

    Args:
        arrays: namespace of functions.
        settings: of the search.
        source_mask: bool [batch, source]; False marks padding.

    Returns:
        {"index": int32, "sequences": int32 [batch, max_length], "sums": float32 [batch], "lengths": int32 [batch],
        "done": bool [batch]}, and "coverage" where it counts.
    """
    batch = arrays.shape(source_mask)[0]
    return {
        "index": arrays.zeros((), "int32"),
        "sequences": arrays.full((batch, settings.max_length), settings.pad_id, "int32"),
        "sums": arrays.zeros((batch,), "float32"),
        "lengths": arrays.zeros((batch,), "int32"),
        "done": arrays.zeros((batch,), "bool"),
        **start_coverage(arrays, settings, source_mask, 1),
    }


def advance(
    arrays: Any, settings: Decoding, state: dict, log_probabilities: Any, token_ids: Any, weights: Any = None
) -> tuple[dict[str, Any], None, Any]:
    """Say one token more; arguments and result as for the beams, without parents."""
    index, done, token = state["index"], state["done"], token_ids[:, 0]
    ends = arrays.equal(token, settings.eos_id)
    living = arrays.logical_not(done)
    said = arrays.logical_and(living, arrays.logical_not(ends))
    steps = arrays.expand_dims(arrays.arange(settings.max_length, dtype="int32"), 0)
    here = arrays.logical_and(arrays.equal(steps, index), arrays.expand_dims(said, 1))
    after = {
        "index": index + 1,
        "sequences": arrays.where(here, arrays.expand_dims(token, 1), state["sequences"]),
        "sums": state["sums"] + arrays.where(living, log_probabilities[:, 0], 0.0),
        "lengths": state["lengths"] + arrays.cast(said, "int32"),
        "done": arrays.logical_or(done, ends),
    }
    if settings.coverage_penalty:
        counted = arrays.cast(living, "float32")
        added = arrays.expand_dims(weights * arrays.expand_dims(counted, 1), 1)
        after["coverage"] = state["coverage"] + added
    return after, None, token


def result(arrays: Any, settings: Decoding, state: dict) -> dict[str, Any]:
    """Return what was said; as for the beams, with one hypothesis."""
    counted = state["lengths"] + arrays.cast(state["done"], "int32")
    scores = state["sums"] / length_penalty(arrays, settings, counted)
    if settings.coverage_penalty:
        scores = scores + coverage_score(arrays, settings, state["coverage"])[:, 0]
    found = {"token_ids": state["sequences"], "scores": scores, "sums": state["sums"], "lengths": state["lengths"]}
    return {name: arrays.expand_dims(value, 1) for name, value in found.items()}
