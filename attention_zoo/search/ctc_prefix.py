"""How likely the steps of a recognizer make the units that a decoder says: a scorer beside the decoder.

It is made of functions between which plain dicts of arrays are handed on, so that a search in a graph carries and
follows them like the decoder's own state:

    prepared = prepare(arrays, log_probabilities)  # once for each source
    state = start(arrays, prepared, rows)  # before the first token
    state = read(arrays, settings, prepared, state, token_ids)  # for each token
    scores = score(arrays, settings, prepared, state)  # what may come next
"""

from typing import Any

from attention_zoo.search.arrays import along, flat
from attention_zoo.search.ctc import BLANK
from attention_zoo.search.scoring import DEAD, FLOOR
from attention_zoo.search.settings import Decoding

# What all names of the state and of what is prepared begin with: beside a decoder's own they must be others.
PREFIX = "ctc."
# A share of what came before under which a unit cannot come next: the products are of float32.
LEAST = 1e-30
# Rounds of doubling where the number of steps is unknown until the graph runs: enough for 65,536.
ROUNDS = 16


def prepare(arrays: Any, log_probabilities: Any) -> dict[str, Any]:
    """Do once for a source what every step needs.

    Args:
        arrays: namespace of functions: `keras.ops` or `NumpyArrays`.
        log_probabilities: float32 [batch, steps, vocabulary]; at padded steps blank is certain.

    Returns:
        {"ctc.logs": float32 [batch, vocabulary, steps], "ctc.shares": float32 [batch, steps, vocabulary]}.
    """
    chances = arrays.maximum(arrays.cast(log_probabilities, "float32"), DEAD)
    return {f"{PREFIX}logs": arrays.transpose(chances, (0, 2, 1)), f"{PREFIX}shares": arrays.exp(chances)}


def start(arrays: Any, prepared: dict, rows: Any) -> dict[str, Any]:
    """Return the state before the first token: nothing was said, all steps may be blank.

    Args:
        arrays: namespace of functions.
        prepared: what `prepare` gave.
        rows: hypotheses of all sources together, a multiple of the batch; may be a tensor.

    Returns:
        {"ctc.unit", "ctc.blank": float32 [rows, steps], log-probability that exactly what was said lies before a step
        and ends in its unit, in a blank; "ctc.whole": float32 [rows], that it is all there is; "ctc.prior": float32
        [rows], that all begins with it; "ctc.last": int32 [rows], its last unit}.
    """
    logs = prepared[f"{PREFIX}logs"]
    blanks = arrays.cumsum(logs[:, BLANK], axis=1)
    before = arrays.concatenate([arrays.zeros_like(blanks[:, :1]), blanks[:, :-1]], axis=1)
    batch = arrays.shape(logs)[0]
    # Rows of a source lie next to each other.
    source = arrays.cast(arrays.arange(rows, dtype="int32") // (rows // batch), "int32")
    before, whole = arrays.take(before, source, axis=0), arrays.take(blanks[:, -1], source, axis=0)
    nothing = arrays.zeros_like(whole)
    state = {"unit": arrays.zeros_like(before) + FLOOR, "blank": before, "whole": whole, "prior": nothing}
    state["last"] = arrays.cast(nothing, "int32")
    return {PREFIX + name: value for name, value in state.items()}


def read(arrays: Any, settings: Decoding, prepared: dict, state: dict, token_ids: Any) -> dict[str, Any]:
    """Say one token more.

    unit'[t + 1] = p[t, c] (unit'[t] + begin[t]);  blank'[t + 1] = p[t, blank] (blank'[t] + unit'[t])
    begin[t] = blank[t] + unit[t], the latter only where c differs from the last unit

    Both are solved over all steps at once, see `_recurrence`.

    Args:
        arrays: namespace of functions.
        settings: of the search; its `bos_id` leaves the state as it is.
        prepared: what `prepare` gave.
        state: what `start`, or the last token, gave; other entries are left out.
        token_ids: int32 [rows].

    Cost: 2 log2(steps) operations on rows x steps numbers.
    Source: Watanabe et al. 2017, "Hybrid CTC/Attention Architecture for End-to-End Speech Recognition", algorithm 2.
    """
    old = {name: state[PREFIX + name] for name in ("unit", "blank", "whole", "prior", "last")}
    logs = prepared[f"{PREFIX}logs"]
    batch, steps = arrays.shape(logs)[0], arrays.shape(logs)[2]
    rows = arrays.shape(token_ids)[0]
    chances = flat(arrays, along(arrays, logs, arrays.reshape(token_ids, (batch, -1))))
    nobody = arrays.zeros_like(arrays.reshape(token_ids, (batch, -1)))
    blanks = flat(arrays, along(arrays, logs, nobody + BLANK))
    again = arrays.expand_dims(arrays.equal(token_ids, old["last"]), 1)
    begin = arrays.logaddexp(old["blank"], arrays.where(again, FLOOR, old["unit"])) + chances
    after = arrays.reshape(_recurrence(arrays, chances, begin, steps), (rows, steps))
    first = arrays.zeros_like(after[:, :1]) + FLOOR
    unit = arrays.concatenate([first, after[:, :-1]], axis=1)
    rested = _recurrence(arrays, blanks, unit + blanks, steps)
    new = {
        "unit": unit,
        "blank": arrays.concatenate([first, rested[:, :-1]], axis=1),
        "whole": arrays.logaddexp(after[:, -1], rested[:, -1]),
        "prior": arrays.logsumexp(begin, axis=1),
        "last": token_ids,
    }
    begins = arrays.equal(token_ids, settings.bos_id)
    for name, value in new.items():
        here = arrays.expand_dims(begins, 1) if len(value.shape) == 2 else begins
        value = value if name == "last" else arrays.maximum(value, FLOOR)
        new[name] = arrays.where(here, old[name], value)
    return {PREFIX + name: value for name, value in new.items()}


def score(arrays: Any, settings: Decoding, prepared: dict, state: dict) -> Any:
    """Score every token as the next one.

    score(c) = log p(all begins with what was said and c) - log p(all begins with what was said)

    and for the end: what was said is all there is. The sum over a whole text is its log-probability by CTC.

    Args:
        arrays: namespace of functions.
        settings: of the search; `eos_id` counts.
        prepared: what `prepare` gave.
        state: what `start` or `read` gave.

    Returns:
        float32 [rows, vocabulary]; -1e9 where a unit has less than 1e-30 of what came before, and at the blank.

    Cost: a product of matrices with rows x steps x vocabulary multiplications.
    Source: Watanabe et al. 2017, algorithm 2; Kim, Hori, Watanabe 2017, arXiv:1609.06773.
    """
    unit, blank = state[f"{PREFIX}unit"], state[f"{PREFIX}blank"]
    shares, last = prepared[f"{PREFIX}shares"], state[f"{PREFIX}last"]
    batch, steps, vocabulary = arrays.shape(shares)
    begin = arrays.logaddexp(unit, blank)
    most = arrays.max(begin, axis=1, keepdims=True)
    told = arrays.matmul(arrays.reshape(arrays.exp(begin - most), (batch, -1, steps)), shares)
    told = _logarithm(arrays, arrays.reshape(told, (-1, vocabulary)), most)
    # The last unit begins anew only after a blank.
    places = arrays.reshape(last, (batch, -1))
    anew = flat(arrays, along(arrays, prepared[f"{PREFIX}logs"], places)) + blank
    ids = arrays.expand_dims(arrays.arange(vocabulary, dtype="int32"), 0)
    told = arrays.where(
        arrays.equal(ids, arrays.expand_dims(last, 1)), arrays.expand_dims(arrays.logsumexp(anew, axis=1), 1), told
    )
    told = arrays.where(arrays.equal(ids, settings.eos_id), arrays.expand_dims(state[f"{PREFIX}whole"], 1), told)
    impossible = arrays.logical_or(told <= DEAD, arrays.equal(ids, BLANK))
    return arrays.where(impossible, FLOOR, told - arrays.expand_dims(state[f"{PREFIX}prior"], 1))


def split(state: dict) -> tuple[dict, dict]:
    """Return the entries of a state that are not of this scorer, and those that are."""
    own = {name: value for name, value in state.items() if name.startswith(PREFIX)}
    return {name: value for name, value in state.items() if name not in own}, own


def _logarithm(arrays: Any, shares: Any, most: Any) -> Any:
    """Return the logarithm of shares, with what they were divided by added."""
    return arrays.where(shares > LEAST, arrays.log(arrays.maximum(shares, LEAST)) + most, FLOOR)


def _recurrence(arrays: Any, decay: Any, inputs: Any, steps: Any) -> Any:
    """Solve x[t] = log(exp(decay[t] + x[t - 1]) + exp(inputs[t])), with nothing before, without a loop over steps.

    After round i every step has taken in the 2^i steps up to it. Only sums and logaddexp are formed: nothing cancels.

    Args:
        arrays: namespace of functions.
        decay: float32 [rows, steps].
        inputs: float32 [rows, steps].
        steps: their number; a tensor where it is unknown until the graph runs.
    """
    known = isinstance(steps, int)
    for number in range((steps - 1).bit_length() if known else ROUNDS):
        reach = 1 << number
        inputs = arrays.logaddexp(inputs, decay + _earlier(arrays, inputs, reach, FLOOR, known))
        decay = decay + _earlier(arrays, decay, reach, 0.0, known)
    return inputs


def _earlier(arrays: Any, values: Any, reach: int, fill: float, known: bool) -> Any:
    """Return values [rows, steps] of so many steps before."""
    if known:
        return arrays.concatenate([arrays.zeros_like(values[:, :reach]) + fill, values[:, :-reach]], axis=1)
    places = arrays.arange(arrays.shape(values)[1], dtype="int32") - reach
    moved = arrays.take(values, arrays.maximum(places, 0), axis=1)
    return arrays.where(arrays.expand_dims(places >= 0, 0), moved, fill)
