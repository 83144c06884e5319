"""A small decoder with a memory of all that it said, and searches over it in plain Python."""

import itertools
import math

import numpy as np

from attention_zoo import search
from attention_zoo.search import ctc_prefix

VOCABULARY, WIDTH, DECAY, EOS = 9, 4, 0.7, 3


class Speaker:
    """A decoder whose logits hang on the last two tokens, on all before them, on how many they are and on the source.

    `logits` says it of a whole prefix, in float64; `prepare`, `start` and `step` go token by token with a cache, over
    any library of arrays.
    """

    growing = ("past",)

    def __init__(self, seed=0, ending=0.3, eos=0.0, vocabulary=VOCABULARY):
        random = np.random.default_rng(seed)
        shapes = {
            "source": (40, WIDTH), "asks": (vocabulary, WIDTH), "value": (vocabulary, WIDTH),
            "table": (vocabulary, vocabulary), "twist": (vocabulary, vocabulary),
            "told": (WIDTH, vocabulary), "kept": (WIDTH, vocabulary),
        }  # fmt: skip
        self.weights = {name: random.normal(size=shape).astype("float32") for name, shape in shapes.items()}
        self.weights["table"][:, EOS] += eos
        self.end = (ending * (np.arange(vocabulary) == EOS)).astype("float32")[None]

    def logits(self, source, prefix):
        """Return logits and attention weights after a prefix that begins with [BOS]."""
        weights = {name: value.astype("float64") for name, value in self.weights.items()}
        memory = weights["source"][np.asarray(source, int)]
        shares = np.exp(memory @ weights["asks"][prefix[-1]])
        shares = shares / max(shares.sum(), 1e-9)
        past = sum(DECAY ** (len(prefix) - 1 - place) * weights["value"][token] for place, token in enumerate(prefix))
        before = prefix[-2] if len(prefix) > 1 else 0
        told = (shares @ memory) @ weights["told"] + past @ weights["kept"]
        return weights["table"][prefix[-1]] + weights["twist"][before] + told + self.end[0] * len(prefix), shares

    def encode(self, xp, source_ids):
        """Return the memory of a source."""
        return xp.take(xp.convert_to_tensor(self.weights["source"]), source_ids, axis=0)

    def prepare(self, xp, memory, mask):
        """Return what is made once of a source."""
        return {"memory": memory, "mask": xp.cast(mask, "float32")}

    def start(self, xp, rows, length):
        """Return the state before the first token."""
        past = xp.zeros((rows, length, WIDTH), "float32")
        return {"past": past, "before": xp.zeros((rows,), "int32"), "count": xp.zeros((rows, 1), "float32")}

    def step(self, xp, token_ids, state, prepared, index):
        """Return logits, the state and the attention weights."""
        of = {name: xp.convert_to_tensor(value) for name, value in self.weights.items()}
        batch, source = xp.shape(prepared["mask"])[0], xp.shape(prepared["mask"])[1]
        asks = xp.reshape(xp.take(of["asks"], token_ids, axis=0), (batch, -1, 1, WIDTH))
        found = xp.exp(xp.sum(asks * xp.expand_dims(prepared["memory"], 1), axis=-1))
        found = found * xp.expand_dims(prepared["mask"], 1)
        shares = found / xp.maximum(xp.sum(found, axis=-1, keepdims=True), 1e-9)
        context = xp.sum(xp.expand_dims(shares, -1) * xp.expand_dims(prepared["memory"], 1), axis=2)
        age = index - xp.arange(state["past"].shape[1], dtype="int32")
        here = xp.reshape(xp.equal(age, 0), (1, -1, 1))
        past = xp.where(here, xp.expand_dims(xp.take(of["value"], token_ids, axis=0), 1), state["past"])
        age = xp.cast(age, "float32")
        fade = xp.where(age >= 0, xp.power(DECAY, xp.maximum(age, 0.0)), 0.0)
        history = xp.sum(past * xp.reshape(fade, (1, -1, 1)), axis=1)
        count = state["count"] + 1.0
        logits = xp.take(of["table"], token_ids, axis=0) + xp.take(of["twist"], state["before"], axis=0)
        logits = logits + xp.matmul(xp.reshape(context, (-1, WIDTH)), of["told"]) + xp.matmul(history, of["kept"])
        logits = logits + count * xp.convert_to_tensor(self.end)
        state = {"past": past, "before": token_ids, "count": count}
        return logits, state, xp.reshape(shares, (-1, source))


def spoken(speaker, sources, settings, arrays=None, noise=None, ctc=None):
    """Run the zoo's search in NumPy over sources of any lengths; `ctc` are log-probabilities beside the speaker's."""
    xp = arrays or type("Arrays", (search.NumpyArrays,), {"matmul": np.matmul})
    ids = np.zeros((len(sources), max(len(source) for source in sources) or 1), "int32")
    for row, source in zip(ids, sources):
        row[: len(source)] = source
    prepared = speaker.prepare(xp, speaker.encode(xp, ids), ids != 0)

    found, tokens = search.begin(xp, settings, ids != 0)
    carried = speaker.start(xp, len(tokens), settings.max_length)
    if ctc is not None:
        ctc = ctc_prefix.prepare(xp, ctc)
        carried |= ctc_prefix.start(xp, ctc, len(tokens))

    def step(token_ids, carried, index):
        carried, own = ctc_prefix.split(carried)
        logits, carried, weights = speaker.step(xp, token_ids, carried, prepared, index)
        drawn, beside = None if noise is None else noise[:, int(index)], None
        if ctc is not None:
            own = ctc_prefix.read(xp, settings, ctc, own, token_ids)
            beside = ctc_prefix.score(xp, settings, ctc, own)
        return *search.choose(xp, settings, logits, drawn, beside), {**carried, **own}, weights

    found, _, _ = search.go_on(xp, settings, step, found, tokens, carried, limit=settings.max_length)
    return search.result(xp, settings, found)


def log_softmax(logits):
    """Return log-probabilities of one row."""
    return logits - logits.max() - math.log(np.exp(logits - logits.max()).sum())


def worth(settings, total, length, coverage):
    """Score a hypothesis of `length` tokens, [EOS] counted."""
    covered = sum(math.log(min(max(one, 1e-10), 1.0)) for one in coverage)
    return total / ((5 + length) / 6) ** settings.length_penalty + settings.coverage_penalty * covered


def beams(speaker, source, settings, scores=None):
    """Search one source by lists of Python; return (score, sum, tokens), best first.

    `scores` gives log-probabilities of what may come after what was said, from the decoder's and what was said.
    """
    living, finished = [(0.0, [], np.zeros(len(source)))], []
    for index in range(settings.max_length):
        candidates = sorted(longer(speaker, source, settings, living, scores), key=lambda one: -one[0])
        for total, said, token, coverage in candidates[: settings.beam]:
            if token == settings.eos_id:
                finished.append((worth(settings, total, index + 1, coverage), total, said))
        finished = sorted(finished, key=lambda one: -one[0])[: settings.beam]
        alive = [one for one in candidates if one[2] != settings.eos_id][: settings.beam]
        living = [(total, [*said, token], coverage) for total, said, token, coverage in alive]
        if not living:
            break
        if len(finished) == settings.beam and (
            settings.early_stopping or finished[-1][0] >= worth(settings, living[0][0], settings.max_length, [])
        ):
            break
    scored = sorted(
        ((worth(settings, total, len(said), coverage), total, said) for total, said, coverage in living),
        key=lambda one: -one[0],
    )
    every = finished + scored[: settings.beam - len(finished)]
    return sorted(every, key=lambda one: -one[0])[: settings.nbest]


def longer(speaker, source, settings, living, scores):
    """Return every hypothesis with every token after it that can be."""
    for total, said, coverage in living:
        logits, weights = speaker.logits(source, [settings.bos_id, *said])
        chances = log_softmax(logits)
        for token, value in enumerate(chances if scores is None else scores(chances, said)):
            if token not in settings.banned and value > -1e8:
                yield total + value, said, token, coverage + weights


def everything(speaker, source, settings):
    """Score every sequence that can be said in `max_length` tokens; return (score, sum, tokens), best first."""
    words = [token for token in range(VOCABULARY) if token not in settings.banned and token != settings.eos_id]
    found = []
    for length in range(settings.max_length + 1):
        for said in itertools.product(words, repeat=length):
            total, coverage = 0.0, np.zeros(len(source))
            closed = [*said, settings.eos_id][: settings.max_length]
            for place, token in enumerate(closed):
                logits, weights = speaker.logits(source, [settings.bos_id, *said[:place]])
                total, coverage = total + log_softmax(logits)[token], coverage + weights
            found.append((worth(settings, total, len(closed), coverage), total, list(said)))
    return sorted(found, key=lambda one: -one[0])


def hypotheses(found, row):
    """Return what was found for one sentence as (score, sum, tokens)."""
    lists = zip(found["scores"][row], found["sums"][row], found["token_ids"][row], found["lengths"][row])
    return [(float(score), float(total), ids[:length].tolist()) for score, total, ids, length in lists]


def agree(found, wanted, tolerance=1e-4):
    """Fail unless two lists of hypotheses are the same."""
    assert [one[2] for one in found] == [one[2] for one in wanted]
    for index in (0, 1):
        np.testing.assert_allclose([one[index] for one in found], [one[index] for one in wanted], atol=tolerance)
