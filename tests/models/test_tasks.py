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


def test_half_precision_trains_and_stays_finite(name, trained):
    family, _task, _ = trained(name)
    inputs, truths = family.examples()
    half = family.new(dtype="mixed_bfloat16")
    history = half.fit((inputs[:64], truths[:64]), epochs=1, batch_size=32, progress=False)
    assert np.isfinite(history["loss"][0])
    logits = half.logits(inputs[:4])
    assert np.isfinite(logits).all() and logits.dtype == np.float32
    assert "bfloat16" in {layer.compute_dtype for layer in half.model.layers}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.costly
def test_what_was_saved_answers_the_same_on_the_other_backends(name, trained, tmp_path):
    family, task, _ = trained(name)
    folder = task.save(tmp_path / "mine")
    inputs = family.examples()[0][:8]
    wanted = task.logits(inputs)
    np.save(tmp_path / "inputs.npy", np.array(inputs))
    program = (
        "import sys, json, numpy; from attention_zoo import load\n"
        "inputs = list(numpy.load(sys.argv[2])); print(json.dumps(load(sys.argv[1]).logits(inputs).tolist()))"
    )
    for backend in {"tensorflow", "jax", "torch"} - {keras.backend.backend()}:
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(folder), str(tmp_path / "inputs.npy")],
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
    assert set(card.files) >= {"config.json", "weights.npz", "preprocessor/preprocessor.json"}
    assert card.parameters == task.model.count_params()


def test_an_explanation_has_the_maps_the_answer_and_effects(name, trained):
    family, task, _ = trained(name)
    if not family.sites:
        pytest.skip("its explanations have a form of their own, tested by themselves")
    one = family.examples()[0][0]
    found = task.explain(one)
    assert set(found.attention) == set(family.sites)
    assert found.weights.sum() == pytest.approx(1, abs=1e-5)
    assert len(found.effects) == 3
    assert found.answer.label == task.predict(one)[0].label
    best = max(found.effects, key=lambda label: task.predict(one, all_scores=True)[0].scores[label])
    assert found.effects[best].max() > 0
    json.dumps(found.to_dict())
