"""From logits to the tokens that may come next."""

from typing import Any

import numpy as np

from attention_zoo.search.largest import largest
from attention_zoo.search.scoring import DEAD, FLOOR
from attention_zoo.search.settings import Decoding

# The share of all probability that a draw stays away from its end, where sums are rounded.
MARGIN = 1e-6


def choose(arrays: Any, settings: Decoding, logits: Any, noise: Any = None, beside: Any = None) -> tuple[Any, Any]:
    """Choose from each row of logits the tokens that `advance` may go on with.

    Log-probabilities are those of all logits, whatever is banned and however is drawn.

    Args:
        arrays: namespace of functions.
        settings: of the search.
        logits: float32 [rows, vocabulary].
        noise: float32 [rows], evenly spread over 0 to 1, 1 left out; read where `settings.sample`.
        beside: float32 [rows, vocabulary], scores of CTC (`ctc_prefix.score`), mixed in by `settings.ctc_weight`; None
            for none.

    Returns:
        log-probabilities float32 [rows, chosen], token ids int32 [rows, chosen]; chosen is 1 for greedy search and
        sampling, beam + 1 for beam search: each row can bring at most one end, so that leaves `beam` to live on.

    Cost: one pass over the logits, and a partial sort of them for beam search.
    """
    if beside is not None:
        logits = _mixed(arrays, settings, logits, beside)
    allowed = logits + banned(arrays, settings, logits.shape[1])
    total = 0.0 if beside is not None else arrays.expand_dims(arrays.logsumexp(logits, axis=1), 1)
    if settings.sample:
        tokens = arrays.expand_dims(draw(arrays, settings, allowed, noise), 1)
        values = _picked(arrays, logits, tokens)
    else:
        count = 1 if settings.beam == 1 else min(settings.beam + 1, logits.shape[1])
        values, tokens = largest(arrays, allowed, count)
    return values - total, arrays.cast(tokens, "int32")


def _mixed(arrays: Any, settings: Decoding, logits: Any, beside: Any) -> Any:
    """Return the joint score of each token; what cannot be by one of the two cannot be at all."""
    weight = settings.ctc_weight
    chances = logits - arrays.expand_dims(arrays.logsumexp(logits, axis=1), 1)
    return arrays.where(beside > DEAD, (1.0 - weight) * chances + weight * beside, FLOOR)


def draw(arrays: Any, settings: Decoding, logits: Any, noise: Any) -> Any:
    """Draw one token for each row: the first at which the running sum of probabilities passes the noise.

    With `top_k` and `top_p` only the likeliest are in the sum: so many, or the fewest that reach that probability.

    Args:
        arrays: namespace of functions.
        settings: of the search.
        logits: float32 [rows, vocabulary].
        noise: float32 [rows], evenly spread over 0 to 1, 1 left out.

    Returns:
        int32 [rows].

    Source: Holtzman et al. 2019, arXiv:1904.09751, section 3.1 (top_p); Fan et al. 2018, arXiv:1805.04833 (top_k).
    """
    size, ids = logits.shape[1], None
    logits = logits / settings.temperature
    if settings.top_k or settings.top_p < 1:
        logits, ids = largest(arrays, logits, min(settings.top_k or size, size))
    shares = arrays.softmax(logits, axis=1)
    last = logits.shape[1] - 1
    if settings.top_p < 1:
        kept = arrays.cumsum(shares, axis=1) - shares < settings.top_p
        shares = arrays.where(kept, shares, 0.0)
        last = arrays.sum(arrays.cast(kept, "int32"), axis=1) - 1
    sums = arrays.cumsum(shares, axis=1)
    reached = arrays.minimum(arrays.expand_dims(noise, 1), 1.0 - MARGIN) * sums[:, -1:]
    place = arrays.minimum(arrays.sum(arrays.cast(sums <= reached, "int32"), axis=1), last)
    place = arrays.cast(place, "int32")
    return place if ids is None else _picked(arrays, ids, arrays.expand_dims(place, 1))[:, 0]


def noise(settings: Decoding, numbers: Any) -> np.ndarray:
    """Draw what decides a sampling, the same for a sentence whatever the batch that it stands in.

    Args:
        settings: of the search; `seed` and `max_length` count.
        numbers: number of each sentence among all.

    Returns:
        float32 [sentences, max_length], at least 0 and under 1.
    """
    drawn = np.zeros((len(numbers), settings.max_length), "float32")
    for number, row in zip(numbers, drawn):
        np.random.default_rng([settings.seed, int(number)]).random(out=row, dtype="float32")
    return drawn


def banned(arrays: Any, settings: Decoding, size: int) -> Any:
    """Return float32 [1, vocabulary]: -1e9 at what is never said, 0 at the rest; to be added to logits."""
    values = np.zeros((1, size), "float32")
    values[0, [one for one in settings.banned if one < size]] = FLOOR
    return arrays.convert_to_tensor(values)


def _picked(arrays: Any, values: Any, places: Any) -> Any:
    """Return one entry of each row: [rows, 1]."""
    first = arrays.arange(arrays.shape(values)[0], dtype="int32") * values.shape[1]
    return arrays.take(arrays.reshape(values, (-1,)), places + arrays.expand_dims(first, 1), axis=0)
