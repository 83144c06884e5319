"""The contract of every task, whatever its family."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from families import FAMILIES

from attention_zoo.presets.card import Card

ROOT = Path(__file__).parents[2]
NAMES = [family.name for family in FAMILIES]

pytestmark = [pytest.mark.parametrize("name", NAMES), pytest.mark.filterwarnings("ignore:a text of:UserWarning")]


def test_a_task_learns_from_raw_examples(name, trained):
    _, _, history = trained(name)
    measure = next(key for key in ("accuracy", "macro_f1") if key in history)
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert history[measure][-1] > 0.6


def test_answers_come_in_order_and_whatever_is_asked_beside(name, trained):
    family, task, _ = trained(name)
    inputs = family.examples()[0][::40]
    together = task.predict(inputs, all_scores=True)
    alone = [task.predict(each, all_scores=True)[0] for each in inputs[:3]]
    assert len({answer.score for answer in together}) > 1
    for one, other in zip(alone, together):
        assert one.label == other.label
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert list(one.scores) == list(task.labels)


def test_padding_changes_nothing(name, trained):
    family, task, _ = trained(name)
    ids = task.preprocessor(family.examples()[0][:4])["token_ids"]
    wide = np.pad(ids, [(0, 0)] + [(0, 4)] * (ids.ndim - 1))
    found = [task.model.predict(array, verbose=0) for array in (ids, wide)]
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(found[0], found[1], atol=2e-6)


def test_weights_have_the_same_names_however_often_they_are_built(name, trained):
    _, task, _ = trained(name)
    again = task.build(task.config)
    paths = [weight.path for weight in again.weights]
    assert paths == [weight.path for weight in task.model.weights]
    assert len(set(paths)) == len(paths)


def test_what_was_saved_answers_the_same(name, trained, tmp_path):
    family, task, _ = trained(name)
    folder = task.save(tmp_path / "mine", description="a test")
    again = type(task).load(folder)
    assert again.config == task.config
    assert (again.card.trained, again.card.description, again.card.name) == (True, "a test", "mine")
    inputs = family.examples()[0][:8]
    np.testing.assert_allclose(again.logits(inputs), task.logits(inputs), atol=1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}


def test_an_explanation_covers_the_texts_own_tokens(name, trained):
    family, task, _ = trained(name)
    text = family.examples()[0][0]
    found = task.explain(text)
    assert set(found.attention) == set(family.sites)
    assert len(found.tokens) == len(found.weights) > 2
    assert found.weights.sum() == pytest.approx(1, abs=1e-5)
    assert len(found.effects) == 3
    assert all(len(effect) == len(found.tokens) for effect in found.effects.values())
    for token in found.tokens:
        assert text[token.start : token.end] == token.text
    best = max(found.effects, key=lambda label: task.predict(text, all_scores=True)[0].scores[label])
    assert found.effects[best].max() > 0
    json.dumps(found.to_dict())


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


def test_half_precision_trains_and_stays_finite(name, trained):
    family, _task, _ = trained(name)
    inputs, truths = family.examples()
    half = family.new(dtype="mixed_bfloat16")
    history = half.fit((inputs[:64], truths[:64]), epochs=1, batch_size=32, progress=False)
    assert np.isfinite(history["loss"][0])
    logits = half.model.predict(half.preprocessor(inputs[:4])["token_ids"], verbose=0)
    assert np.isfinite(logits).all() and logits.dtype == np.float32
    assert half.model.get_layer("embedding").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.costly
def test_what_was_saved_answers_the_same_on_the_other_backends(name, trained, tmp_path):
    family, task, _ = trained(name)
    folder = task.save(tmp_path / "mine")
    inputs = family.examples()[0][:8]
    wanted = task.logits(inputs)
    program = (
        "import sys, json, numpy; from attention_zoo import load\n"
        "texts = json.load(sys.stdin); print(json.dumps(load(sys.argv[1]).logits(texts).tolist()))"
    )
    for backend in {"tensorflow", "jax", "torch"} - {keras.backend.backend()}:
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(folder)],
            input=json.dumps(inputs),
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        np.testing.assert_allclose(json.loads(child.stdout.splitlines()[-1]), wanted, atol=1e-4)


def test_a_card_that_was_written_holds_its_files(name, trained, tmp_path):
    _, task, _ = trained(name)
    folder = task.save(tmp_path / "mine", half=True)
    card = Card.from_folder(folder)
    card.verify(folder)
    assert set(card.files) >= {"config.json", "weights.npz", "preprocessor/tokenizer.json"}
    assert card.parameters == task.model.count_params()
