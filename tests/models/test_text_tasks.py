"""What is particular to tasks that read texts: padding, and tokens."""

import numpy as np
import pytest
from families import FAMILIES

NAMES = [family.name for family in FAMILIES if family.reads == "text"]

pytestmark = [pytest.mark.parametrize("name", NAMES), pytest.mark.filterwarnings("ignore:a text of:UserWarning")]


def test_padding_changes_nothing(name, trained):
    family, task, _ = trained(name)
    ids = task.preprocessor(family.examples()[0][:4])["token_ids"]
    wide = np.pad(ids, [(0, 0)] + [(0, 4)] * (ids.ndim - 1))
    found = [task.model.predict(array, verbose=0) for array in (ids, wide)]
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(found[0], found[1], atol=2e-6)


def test_an_explanation_covers_the_texts_own_tokens(name, trained):
    family, task, _ = trained(name)
    text = family.examples()[0][0]
    found = task.explain(text)
    assert len(found.tokens) == len(found.weights) > 2
    assert all(len(effect) == len(found.tokens) for effect in found.effects.values())
    for token in found.tokens:
        assert text[token.start : token.end] == token.text


def test_the_effect_of_a_token_is_what_its_mask_takes_away(name, trained):
    family, task, _ = trained(name)
    text = family.examples()[0][0]
    found = task.explain(text, labels=[task.labels[1]])
    ids = task.preprocessor(text)["token_ids"]
    masked = ids.copy()
    masked.reshape(-1)[found.tokens[1].index] = 2
    scores = [task._decide(task.model.predict(array, verbose=0), True)[0].scores for array in (ids, masked)]
    wanted = scores[0][task.labels[1]] - scores[1][task.labels[1]]
    assert found.effects[task.labels[1]][1] == pytest.approx(wanted, abs=1e-5)
