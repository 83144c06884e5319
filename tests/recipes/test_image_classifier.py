"""The recipe of pictures as a user runs it: what it writes, and what it says to bad input."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import attention_zoo as az
from attention_zoo import cli

LABELS = ("dark", "light")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with a folder for each of two labels, 24 pictures each."""
    folder, generator = tmp_path_factory.mktemp("data") / "pictures", np.random.default_rng(0)
    for label, low in zip(LABELS, (0, 160)):
        (folder / label).mkdir(parents=True)
        for number in range(24):
            pixels = generator.integers(low, low + 90, (20 + number, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


def run(*words):
    """Run `attention-zoo train image_classifier`; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "image_classifier", *map(str, words)])
    return ended.value.code


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """A run on the folder."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    words = ("--small", "--data", pictures, "--epochs", 3, "--height", 16, "--width", 16, "--learning-rate", 0.01)
    assert run(*words, "--output", folder) == 0
    return folder


def test_a_run_keeps_a_model_its_measures_and_its_pictures(trained, pictures):
    for name in ("curves.png", "confusion.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")
    task = az.load(trained / "model")
    assert task.labels == LABELS
    assert "--height 16" in task.card.command
    assert json.loads((trained / "metrics.json").read_text())["val"]["accuracy"] >= 0.5
    assert task.predict(pictures / "dark" / "0.png")[0].label in LABELS


def test_it_goes_on_from_a_preset(trained, pictures, tmp_path):
    words = ("--small", "--data", pictures, "--from", trained / "model", "--epochs", 1)
    assert run(*words, "--output", tmp_path / "more") == 0
    assert az.load(tmp_path / "more" / "model").config.height == 16


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--data", "nothing"), "--data must be one of fashion_mnist"),
        (("--data", "clinc150"), "a folder or a table of pictures"),
        (("--tiny", "--data", "cifar10"), "--tiny is known for fashion_mnist"),
        (("--small", "--from", "clinc150_intent"), "must be a preset of family image classifier"),
        (
            ("--small", "--from", "clinc150_intent", "--height", 8),
            "--from takes the preset's own network; leave out --height",
        ),
        (("--small", "--augment", "flipp"), "'flip'"),
        (("--small", "--network", "resnett"), "'resnet'"),
    ],
)
def test_bad_input_gets_one_sentence_and_nothing_is_written(words, sentence, tmp_path, capsys):
    assert run(*words, "--output", tmp_path / "out") == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out" / "model").exists()


@pytest.mark.costly
def test_the_summary_has_a_line_for_each_backend_and_onnx(pictures, trained, tmp_path):
    words = ("--small", "--summary", "--data", pictures, "--from", trained / "model", "--epochs", 1)
    assert run(*words, "--output", tmp_path / "more") == 0
    with open(tmp_path / "more" / "model_summary.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["runs on"] for row in rows] == ["tensorflow", "jax", "torch", "onnx"]
    assert all(float(row["difference"]) < 1e-3 and float(row["inputs a second"]) > 0 for row in rows)
    assert float(rows[0]["MFLOPs"]) > 0.1
