"""Beam search over a batch of sentences, written once for every library of arrays."""

from typing import Any

from attention_zoo.search.arrays import along, flat, numbered
from attention_zoo.search.scoring import DEAD, FLOOR, coverage_score, length_penalty, start_coverage
from attention_zoo.search.settings import Decoding


def start(arrays: Any, settings: Decoding, source_mask: Any) -> dict[str, Any]:
    """Return the state before the first token: one living hypothesis for each sentence, no finished one.

    Args:
        arrays: namespace of functions.
        settings: of the search.
        source_mask: bool [batch, source]; False marks padding.

    Returns:
        {"index": int32, "sequences": int32 [batch, beam, max_length], "sums": float32 [batch, beam], "finished",
        "finished_scores", "finished_sums", "finished_lengths": the same of what has ended, best first,
        "done": bool [batch]}, and "coverage": float32 [batch, beam, source] where it counts.
    """
    batch, beam = arrays.shape(source_mask)[0], settings.beam
    nothing = arrays.full((batch, beam, settings.max_length), settings.pad_id, "int32")
    dead = arrays.full((batch, beam), FLOOR, "float32")
    first = arrays.expand_dims(arrays.equal(arrays.arange(beam, dtype="int32"), 0), 0)
    return {
        "index": arrays.zeros((), "int32"),
        "sequences": nothing,
        "sums": arrays.where(first, arrays.zeros((batch, beam), "float32"), dead),
        "finished": nothing,
        "finished_scores": dead,
        "finished_sums": dead,
        "finished_lengths": arrays.zeros((batch, beam), "int32"),
        "done": arrays.zeros((batch,), "bool"),
        **start_coverage(arrays, settings, source_mask, beam),
    }


def advance(
    arrays: Any, settings: Decoding, state: dict, log_probabilities: Any, token_ids: Any, weights: Any = None
) -> tuple[dict[str, Any], Any, Any]:
    """Say one token more: the best ends are kept as finished, the best of the rest live on.

    Args:
        arrays: namespace of functions: `keras.ops` or `NumpyArrays`.
        settings: of the search.
        state: what `start`, or the last step, gave.
        log_probabilities: float32 [rows, chosen] of the likeliest tokens of each row; rows = batch x beam, rows of one
            sentence next to each other, and at least min(beam + 1, vocabulary) tokens chosen.
        token_ids: int32 [rows, chosen].
        weights: float32 [rows, source], the attention of this step; read where coverage counts.

    Returns:
        the state after it; int32 [rows], the row that each row goes on from; int32 [rows], its new token.

    Cost: a few operations on batch x beam x (chosen + max_length) numbers.
    """
    beam, chosen = settings.beam, log_probabilities.shape[1]
    likely = arrays.reshape(arrays.maximum(log_probabilities, FLOOR), (-1, beam, chosen))
    totals = arrays.expand_dims(state["sums"], 2) + likely
    # Each row can end once: among the best 2 x beam are at least `beam` that go on.
    best, places = arrays.top_k(arrays.reshape(totals, (-1, beam * chosen)), 2 * beam)
    tokens = along(arrays, arrays.reshape(token_ids, (-1, beam * chosen)), places)
    parents = numbered(arrays, arrays.cast(places, "int32") // chosen, beam)
    ends = arrays.equal(tokens, settings.eos_id)
    after = {}
    if settings.coverage_penalty:
        source = arrays.shape(weights)[1]
        after["coverage"] = state["coverage"] + arrays.reshape(weights, (-1, beam, source))
    ended = {"sums": best[:, :beam], "parents": parents[:, :beam], "ends": ends[:, :beam]}
    after |= _finish(arrays, settings, state, ended, after.get("coverage"))

    sums, kept = arrays.top_k(arrays.where(ends, 4 * FLOOR, best), beam)
    tokens, parents = along(arrays, tokens, kept), along(arrays, parents, kept)
    after["sums"] = arrays.maximum(sums, FLOOR)
    steps = arrays.reshape(arrays.arange(settings.max_length, dtype="int32"), (1, 1, -1))
    sequences = arrays.take(flat(arrays, state["sequences"]), parents, axis=0)
    here = arrays.equal(steps, state["index"])
    after["sequences"] = arrays.where(here, arrays.expand_dims(tokens, 2), sequences)
    if settings.coverage_penalty:
        after["coverage"] = arrays.take(flat(arrays, after["coverage"]), parents, axis=0)
    after["index"] = state["index"] + 1
    after["done"] = arrays.logical_or(state["done"], _decided(arrays, settings, after))
    return after, arrays.reshape(parents, (-1,)), arrays.reshape(tokens, (-1,))


def _finish(arrays: Any, settings: Decoding, state: dict, ended: dict, coverage: Any) -> dict[str, Any]:
    """Return the finished hypotheses after those among the best `beam` candidates that end here."""
    index, sums, parents = state["index"], ended["sums"], ended["parents"]
    counted = arrays.expand_dims(arrays.logical_not(state["done"]), 1)
    counted = arrays.logical_and(arrays.logical_and(ended["ends"], sums > DEAD), counted)
    scores = sums / length_penalty(arrays, settings, index + 1)
    if coverage is not None:
        worth = arrays.reshape(coverage_score(arrays, settings, coverage), (-1,))
        scores = scores + arrays.take(worth, parents, axis=0)
    scores = arrays.concatenate([state["finished_scores"], arrays.where(counted, scores, FLOOR)], axis=1)
    scores, kept = arrays.top_k(scores, settings.beam)
    new = {
        "finished": arrays.take(flat(arrays, state["sequences"]), parents, axis=0),
        "finished_sums": sums,
        "finished_lengths": arrays.zeros_like(parents) + index,
    }
    joined = {name: arrays.concatenate([state[name], value], axis=1) for name, value in new.items()}
    return {"finished_scores": scores, **{name: along(arrays, value, kept) for name, value in joined.items()}}


def _decided(arrays: Any, settings: Decoding, state: dict) -> Any:
    """Say for which sentences nothing can change any more: bool [batch].

    The best that a living hypothesis can come to is its sum over the largest length penalty, all covered.
    """
    living, worst = state["sums"][:, 0], state["finished_scores"][:, -1]
    full = worst > DEAD
    if not settings.early_stopping:
        longest = length_penalty(arrays, settings, settings.max_length)
        full = arrays.logical_and(full, worst >= living / longest)
    return arrays.logical_or(full, living <= DEAD)


def result(arrays: Any, settings: Decoding, state: dict) -> dict[str, Any]:
    """Return the best hypotheses; living ones fill the places that no finished one has taken.

    Args:
        arrays: namespace of functions.
        settings: of the search.
        state: what the last step gave.

    Returns:
        best first: {"token_ids": int32 [batch, nbest, max_length] without [EOS], padded, "scores": float32
        [batch, nbest], "sums": float32 [batch, nbest] of log-probabilities, "lengths": int32 [batch, nbest] of tokens
        without [EOS]}. Where there are fewer hypotheses than places, the rest is empty with scores of -1e9.
    """
    index, beam = state["index"], settings.beam
    scores = state["sums"] / length_penalty(arrays, settings, index)
    if settings.coverage_penalty:
        scores = scores + coverage_score(arrays, settings, state["coverage"])
    living, order = arrays.top_k(arrays.where(state["sums"] > DEAD, scores, FLOOR), beam)
    sums = along(arrays, state["sums"], order)
    found = {
        "token_ids": (state["finished"], along(arrays, state["sequences"], order)),
        "scores": (state["finished_scores"], living),
        "sums": (state["finished_sums"], sums),
        "lengths": (state["finished_lengths"], arrays.zeros_like(state["finished_lengths"]) + index),
    }
    places = arrays.expand_dims(arrays.arange(beam, dtype="int32"), 0)
    taken = arrays.sum(arrays.cast(state["finished_scores"] > DEAD, "int32"), axis=1, keepdims=True)
    filled = arrays.where(places < taken, places, beam + places - arrays.cast(taken, "int32"))
    joined = {name: along(arrays, arrays.concatenate(pair, axis=1), filled) for name, pair in found.items()}
    _, order = arrays.top_k(joined["scores"], settings.nbest)
    return _blank(arrays, settings, {name: along(arrays, value, order) for name, value in joined.items()})


def _blank(arrays: Any, settings: Decoding, found: dict) -> dict[str, Any]:
    """Empty the places that hold no hypothesis."""
    real = found["scores"] > DEAD
    return {
        "token_ids": arrays.where(arrays.expand_dims(real, 2), found["token_ids"], settings.pad_id),
        "scores": arrays.where(real, found["scores"], FLOOR),
        "sums": arrays.where(real, found["sums"], FLOOR),
        "lengths": arrays.where(real, found["lengths"], 0),
    }
