"""The recipe of emotion recognizers as a user runs it: what it writes, how it goes on, what it says to bad input."""

import csv
import json

import numpy as np
import pytest
import soundfile
from PIL import Image

import attention_zoo as az
from attention_zoo import cli
from attention_zoo.data import synthetic_emotions
from attention_zoo.training import Checkpoint


def run(*words):
    """Run `attention-zoo train emotion_recognizer`; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "emotion_recognizer", *map(str, words)])
    return ended.value.code


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of files with empty cells, conversations and a second column of labels."""
    folder = tmp_path_factory.mktemp("data")
    rows = synthetic_emotions(60, missing=0.2)["train"]
    head = ("image", "audio", "text", "label", "intensity", "conversation")
    lines = []
    for number in range(len(rows)):
        row = {name: rows[name][number] for name in head}
        if row["image"] is not None:
            Image.fromarray(row["image"]).save(folder / f"{number}.png")
            row["image"] = f"{number}.png"
        if row["audio"] is not None:
            soundfile.write(folder / f"{number}.wav", *row["audio"])
            row["audio"] = f"{number}.wav"
        lines.append([row[name] for name in head])
    with open(folder / "people.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *lines])
    return folder / "people.csv"


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """A table of vectors and texts: nothing of it takes time."""
    path, generator = tmp_path_factory.mktemp("data") / "vectors.jsonl", np.random.default_rng(0)
    rows = []
    for number in range(60):
        label = ("glad", "sad")[number % 2]
        vector = generator.normal(size=3).round(3) + 2.0 * (label == "glad")
        rows.append({"image": vector.tolist(), "text": f"so {label} {number % 5}", "label": label})
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    """A run on the table."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    words = ("--small", "--data", table, "--epochs", 1, "--tasks", "intensity", "--sharing", "fused")
    assert run(*words, "--context", "attention", "--output", folder, "--half", "--name", "mine") == 0
    return folder


def test_a_run_keeps_a_model_its_measures_and_its_pictures(trained):
    for name in ("curves.png", "confusion.png", "roc.png", "explanation.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")
    task = az.load(trained / "model")
    assert (task.config.modalities, task.config.image) == (("image", "audio", "text"), "frames")
    assert task.config.task_labels == {"intensity": ("normal", "strong")}
    assert (task.config.sharing, task.config.context) == ("fused", "attention")
    measures = json.loads((trained / "metrics.json").read_text())["val"]
    for name in ("accuracy", "intensity_accuracy", "accuracy_of_audio", "accuracy_of_image+text", "weight_of_text"):
        assert 0 <= measures[name] <= 1
    assert sum(measures[f"weight_of_{name}"] for name in task.config.modalities) == pytest.approx(1, abs=1e-4)
    assert task.card.command.startswith("attention-zoo train emotion_recognizer")
    assert len(task.predict({"text": ["makes me furious"]})) == 1


def test_whole_conversations_are_held_out(trained, table):
    with open(table, encoding="utf-8") as file:
        talks = [row["conversation"] for row in csv.DictReader(file)]
    kept = [talk for place, talk in enumerate(dict.fromkeys(talks)) if place % 10 != 9]
    count = sum(talk in kept for talk in talks)
    assert az.load(trained / "model").card.split.startswith(f"trained on train ({count}), tuned on val")


def test_it_goes_on_from_a_preset(trained, table, tmp_path):
    words = ("--small", "--data", table, "--from", trained / "model", "--epochs", 1)
    assert run(*words, "--output", tmp_path / "more") == 0
    assert az.load(tmp_path / "more" / "model").config.task_labels == {"intensity": ("normal", "strong")}


def history(folder):
    """Return the loss of each epoch."""
    with open(folder / "history.csv", encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(vectors, tmp_path, monkeypatch):
    words = ("--small", "--data", vectors, "--epochs", 3)
    assert run(*words, "--output", tmp_path / "whole") == 0
    write, count = Checkpoint.write, []

    def stopping(self, *arguments, **options):
        write(self, *arguments, **options)
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "write", stopping)
        assert run(*words, "--output", tmp_path / "killed") == 130
    assert run(*words, "--output", tmp_path / "killed", "--resume") == 0
    np.testing.assert_allclose(history(tmp_path / "killed"), history(tmp_path / "whole"), atol=1e-4)
    assert az.load(tmp_path / "killed" / "model").config.image_features == 3


def test_one_modality_alone_is_taken_out_of_a_table(vectors, tmp_path):
    assert run("--small", "--data", vectors, "--modalities", "text", "--epochs", 1, "--output", tmp_path / "a") == 0
    assert az.load(tmp_path / "a" / "model").config.modalities == ("text",)


def test_texts_with_several_labels_are_learned_alone(tmp_path):
    assert run("--small", "--data", "goemotions", "--epochs", 1, "--output", tmp_path / "a") == 0
    task = az.load(tmp_path / "a" / "model")
    assert task.config.multi_label and task.config.modalities == ("text",)
    assert task.config.thresholds is not None
    assert task.card.data == "goemotions (bundled sample)"


def test_small_is_synthetic_and_says_so(tmp_path, capsys):
    words = ("--modalities", "image,text", "--epochs", 1, "--test")
    assert run("--small", *words, "--output", tmp_path / "a") == 0
    assert "test:" in capsys.readouterr().out
    assert az.load(tmp_path / "a" / "model").card.data == "synthetic_emotions"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "nowhere"), "--data must be one of"),
        (("--small", "--width", "31"), "multiple of heads"),
        (("--small", "--fusion", "gate"), "nearest names are 'gated'"),
        (("--small", "--modalities", "face"), "modality 'face' is unknown"),
        (("--small", "--sharing", "fused"), "tasks must be given"),
        (("--small", "--tasks", "sex"), "column 'sex' is unknown"),
        (("--small", "--network", "mult"), "--network is not known here"),
        (("--small", "--fold", "1"), "--fold is of --data ravdess"),
        (("--small", "--data", "goemotions", "--modalities", "audio"), "goemotions has only text"),
        (("--from", "clinc150_intent", "--small"), "--from must be a preset of family emotion recognizer"),
        (("--from", "x", "--fusion", "mult"), "--from takes the preset's own network"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(words, told, capsys, tmp_path):
    assert run(*words, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
