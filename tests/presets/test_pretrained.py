"""The pretrained presets of the package: whole, small, honest about themselves, the same on every backend."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import attention_zoo as az
from attention_zoo.catalogue import find
from attention_zoo.errors import ZooFileError

NAMES = [card.name for card in az.list_models(trained=True)]
SAMPLES = {
    "clinc150_intent": "clinc150",
    "fashion_mnist_hybrid": "fashion_mnist",
    "goemotions_emotion": "goemotions",
}
EXPECTED = Path(__file__).with_name("expected.json")
once = pytest.mark.once


def answers(name: str) -> dict[str, list]:
    """Answer the first inputs of the bundled sample's test split: text, or number of the picture -> [label, score]."""
    dataset = az.data.load(SAMPLES[name], sample=True)
    inputs = list(dataset["test"][dataset.raw][:40])
    keys = inputs if dataset.raw == "text" else [str(number) for number in range(len(inputs))]
    return {key: [answer.label, answer.score] for key, answer in zip(keys, az.load(name).predict(inputs))}


def test_the_presets_are_there():
    assert set(SAMPLES) <= set(NAMES)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_backend_gives_the_recorded_answers(name):
    # Recorded once, on one backend, by `python tests/presets/test_pretrained.py`; every backend must give them again.
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[name]
    found = answers(name)
    assert {text: label for text, (label, _) in found.items()} == {text: label for text, (label, _) in expected.items()}
    differences = [abs(found[text][1] - score) for text, (_, score) in expected.items()]
    assert max(differences) <= 1e-4


@once
@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_what_a_user_must_know(name):
    card = next(card for card in az.list_models() if card.name == name)
    for field in ("description", "data", "licence", "split", "command", "attention", "metrics", "files"):
        assert getattr(card, field), field
    assert card.seed is not None and card.parameters > 0
    assert 0 < card.bytes <= 10 * 2**20
    assert card.backend_difference is not None and card.backend_difference <= 1e-4
    assert any(measure.startswith("test_") for measure in card.metrics)


@once
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_damaged_or_missing_file_is_named(name, tmp_path):
    folder = find(name)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) >= 4
    for file in files:
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        content = (copy / file).read_bytes()
        (copy / file).write_bytes(content[: len(content) // 2])
        with pytest.raises(ZooFileError, match=file.name.replace(".", r"\.")):
            az.load(str(copy))
        (copy / file).unlink()
        if file.name != "card.json":  # without a card a folder is a user's own, and there is nothing to check it by
            with pytest.raises(ZooFileError, match=file.name.replace(".", r"\.")):
                az.load(str(copy))
        shutil.rmtree(copy)


@once
def test_a_preset_shows_where_it_looked_in_a_picture(tmp_path):
    split = az.data.load("fashion_mnist", sample=True)["test"]
    explanation = az.load("fashion_mnist_hybrid").explain(split["image"][0])
    assert explanation.answer.label in explanation.effects
    for suffix in ("png", "html"):
        assert explanation.save(tmp_path / f"why.{suffix}").stat().st_size > 1000


@once
def test_a_preset_explains_its_answer_on_the_texts_own_tokens(tmp_path):
    explanation = az.load("clinc150_intent").explain("what is the balance on my checking account")
    assert [token.text for token in explanation.tokens][:3] == ["what", "is", "the"]
    assert np.isclose(np.sum(explanation.weights), 1.0, atol=1e-5)
    assert explanation.answer.label in explanation.effects
    for suffix in ("png", "html"):
        assert explanation.save(tmp_path / f"why.{suffix}").stat().st_size > 1000


if __name__ == "__main__":
    EXPECTED.write_text(
        json.dumps({name: answers(name) for name in sorted(SAMPLES)}, indent=1) + "\n", encoding="utf-8"
    )
