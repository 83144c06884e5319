"""The recipe of speech recognizers as a user runs it: what it writes, and what it says to bad input."""

import json

import numpy as np
import pytest
import soundfile

import attention_zoo as az
from attention_zoo import cli


def run(*words):
    """Run `attention-zoo train speech_recognizer`; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "speech_recognizer", *map(str, words)])
    return ended.value.code


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """A manifest of twelve short sounds."""
    folder = tmp_path_factory.mktemp("data")
    generator, lines = np.random.default_rng(0), ["path\ttext"]
    for number in range(12):
        soundfile.write(folder / f"{number}.wav", 0.1 * generator.normal(size=8000), 16000)
        lines.append(f"{number}.wav\t{'yes no' if number % 2 else 'no'}")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "manifest.tsv"


@pytest.fixture(scope="module")
def trained(manifest, tmp_path_factory):
    """A run on the manifest."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    words = ("--small", "--data", manifest, "--epochs", 2, "--batch-size", 4)
    assert run(*words, "--output", folder, "--half", "--name", "mine") == 0
    return folder


def test_a_run_keeps_a_model_its_measures_and_its_pictures(trained, manifest):
    for name in ("curves.png", "alignment.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")
    task = az.load(trained / "model")
    assert (task.config.width, task.card.name) == (32, "mine")
    assert task.preprocessor.language is not None
    measures = json.loads((trained / "metrics.json").read_text())["val"]
    assert {"wer", "cer", "greedy_wer", "ctc_beam_wer", "ctc_beam_lm_wer", "joint_wer", "attention_wer"} <= set(
        measures
    )
    assert len(task.transcribe(manifest.parent / "0.wav")) == 1


def test_it_goes_on_from_a_preset(trained, manifest, tmp_path):
    words = ("--small", "--data", manifest, "--from", trained / "model", "--epochs", 1, "--language", 0)
    assert run(*words, "--output", tmp_path / "more") == 0
    assert az.load(tmp_path / "more" / "model").config.width == 32


def test_a_new_network_begins_with_the_encoder_of_another(trained, manifest, tmp_path, capsys):
    words = ("--small", "--data", manifest, "--network", "streaming", "--begin", trained / "model", "--epochs", 1)
    assert run(*words, "--output", tmp_path / "live") == 0
    assert "weights are those of" in capsys.readouterr().out
    task = az.load(tmp_path / "live" / "model")
    assert (task.config.network, task.preprocessor.language.order) == ("streaming", 7)
    measures = json.loads((tmp_path / "live" / "metrics.json").read_text())["val"]
    assert measures["wer"] <= measures["ctc_beam_wer"]  # the weight of the language model was chosen there


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "nowhere"), "--data must be one of"),
        (("--small", "--width", "31"), "multiple of heads"),
        (("--small", "--network", "rnn"), "network"),
        (("--from", "clinc150_intent", "--small"), "--from must be a preset of family speech recognizer"),
        (("--from", "x", "--width", "64"), "--from takes the preset's own network"),
        (("--from", "x", "--begin", "y"), "leave out one of them"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(words, told, capsys, tmp_path):
    assert run(*words, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
