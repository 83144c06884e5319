"""The runtime's loop with CTC beside the decoder says what one search over the whole batch says."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from attention_zoo.errors import ZooError
from attention_zoo.runtime.generating import ENCODER, STEP, GeneratingRunner
from attention_zoo.search import Decoding, NumpyArrays

# The speaker and its oracles lie beside the tests of the search.
sys.path.insert(0, str(Path(__file__).parents[1] / "search"))
speaking = importlib.import_module("speaking")

pytestmark = pytest.mark.once

SOURCES = [[5, 9, 17, 3], [8, 3], [30, 21, 7, 6, 11, 2, 3], [3], [12, 12, 3]]
STEPS = 10


class Arrays(NumpyArrays):
    """What the speaker needs."""


class Speaking(GeneratingRunner):
    """A runner whose graphs are the speaker of the tests."""

    def __init__(self, ctc=None):
        self.speaker, self.ctc = speaking.Speaker(5, ending=0.8), ctc
        self._caches = {"past": ((speaking.WIDTH,), "float32")}
        self._outputs = {
            ENCODER: ["prepared.memory", "prepared.mask", "state.before", "state.count"],
            STEP: ["values", "ids", "logits", "weights", "new.past", "new.before", "new.count"],
        }

    def records(self, inputs, **options):
        """Say nothing: the arrays are what counts here."""
        return []

    def run(self, inputs, names=None, graph=None):
        return self._encode(inputs["source_ids"]) if graph == ENCODER else self._say(inputs, names)

    def _encode(self, ids):
        prepared = self.speaker.prepare(Arrays, self.speaker.encode(Arrays, ids), ids != 0)
        state = self.speaker.start(Arrays, len(ids), 1)
        told = {f"prepared.{name}": value for name, value in prepared.items()}
        told |= {f"state.{name}": state[name] for name in ("before", "count")}
        return told if self.ctc is None else {**told, "ctc": self.ctc}

    def _say(self, inputs, names):
        parts = {kind: {} for kind in ("state", "prepared")}
        for name, value in inputs.items():
            kind, _, rest = name.partition(".")
            parts.get(kind, {})[rest] = value
        index = int(inputs["index"][0])
        logits, state, weights = self.speaker.step(
            Arrays, inputs["token_ids"], parts["state"], parts["prepared"], index
        )
        told = {"logits": logits, "weights": weights, "new.past": state["past"][:, index : index + 1]}
        told |= {"new.before": state["before"], "new.count": state["count"]}
        return {name: told[name] for name in names}


def padded():
    """Return the sources as one array."""
    ids = np.zeros((len(SOURCES), 8), "int32")
    for row, source in zip(ids, SOURCES):
        row[: len(source)] = source
    return ids


@pytest.mark.parametrize("options", [{"beam": 4, "nbest": 3}, {"beam": 1}, {"beam": 3, "coverage_penalty": 0.3}])
def test_sentences_that_leave_early_say_what_they_say_together(options):
    logits = np.random.default_rng(2).normal(size=(5, STEPS, speaking.VOCABULARY)).astype("float32") * 3
    chances = logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)
    settings = Decoding(ctc_weight=0.4, max_length=30, **options)
    wanted = speaking.spoken(speaking.Speaker(5, ending=0.8), SOURCES, settings, ctc=chances)
    # Logits and log-probabilities are taken alike.
    for ctc in (logits, chances):
        found = Speaking(ctc).generate(padded(), settings)
        for name in ("token_ids", "lengths"):
            np.testing.assert_array_equal(found[name], wanted[name])
        np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-4)
    assert len(set(wanted["lengths"][:, 0].tolist())) > 1


def test_a_bundle_without_ctc_is_refused_where_it_counts():
    with pytest.raises(ZooError, match=r"ctc_weight 0.4 wants an encoder's graph that gives 'ctc'"):
        Speaking().generate(padded(), Decoding(beam=2, ctc_weight=0.4))
