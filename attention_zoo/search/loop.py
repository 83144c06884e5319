"""The loop of a search: step, choose, follow, until every sentence is done."""

from collections.abc import Callable
from typing import Any

from attention_zoo.errors import ZooValueError
from attention_zoo.search import beam, single
from attention_zoo.search.settings import Decoding


def algorithm(settings: Decoding) -> Any:
    """Return the module whose `start`, `advance` and `result` carry out these settings."""
    return single if settings.beam == 1 else beam


def begin(arrays: Any, settings: Decoding, source_mask: Any) -> tuple[dict[str, Any], Any]:
    """Return the state before the first token, and what each row reads first: int32 [rows], full of [BOS].

    Args:
        arrays: namespace of functions: `keras.ops` or `NumpyArrays`.
        settings: of the search.
        source_mask: bool [batch, source]; False marks padding.
    """
    rows = arrays.shape(source_mask)[0] * settings.beam
    return algorithm(settings).start(arrays, settings, source_mask), arrays.full((rows,), settings.bos_id, "int32")


def go_on(
    arrays: Any,
    settings: Decoding,
    step: Callable,
    state: dict,
    token_ids: Any,
    carried: dict,
    *,
    limit: int,
    follow: Callable | None = None,
) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Say tokens until every sentence is done, or `limit` tokens are said.

    Args:
        arrays: namespace of functions; its `while_loop` decides whether this is a loop of Python or of a graph.
        settings: of the search.
        step: called with (token_ids int32 [rows], carried, index), gives (log-probabilities [rows, chosen], token ids
            [rows, chosen], carried, attention weights [rows, source] or None): what `choose` makes of a decoder's step.
        state: what `begin` gave, or an earlier call.
        token_ids: int32 [rows], what each row reads next.
        carried: the decoder's own state, by name, [rows, ...].
        limit: tokens, counted from the beginning.
        follow: called with (carried, parents int32 [rows]), puts into each row what its parent carried; None takes
            it along the first axis. It is called for beams alone.

    Returns:
        state, token ids and what is carried, after that.

    Raises:
        ZooValueError: if attention counts and the step gives none.
    """
    follow = follow or (lambda carried, parents: taken(arrays, carried, parents))

    def going(state: dict, token_ids: Any, carried: dict) -> Any:
        return arrays.logical_and(state["index"] < limit, arrays.logical_not(arrays.all(state["done"])))

    def body(state: dict, token_ids: Any, carried: dict) -> tuple:
        log_probabilities, token_ids, carried, weights = step(token_ids, carried, state["index"])
        if weights is None and settings.coverage_penalty:
            raise ZooValueError(
                f"coverage_penalty {settings.coverage_penalty} wants a decoder whose step gives attention weights"
            )
        advance = algorithm(settings).advance
        state, parents, token_ids = advance(arrays, settings, state, log_probabilities, token_ids, weights)
        return state, token_ids, carried if parents is None else follow(carried, parents)

    return arrays.while_loop(going, body, (state, token_ids, carried))


def taken(arrays: Any, carried: dict, parents: Any) -> dict[str, Any]:
    """Put into each row what its parent carried."""
    return {name: arrays.take(value, parents, axis=0) for name, value in carried.items()}


def result(arrays: Any, settings: Decoding, state: dict) -> dict[str, Any]:
    """Return the best hypotheses: "token_ids", "scores", "sums" and "lengths", see `beam.result`."""
    return algorithm(settings).result(arrays, settings, state)
