"""The recipe of translators as a user runs it: what it writes, and what it says to bad input."""

import json

import pytest

import attention_zoo as az
from attention_zoo import cli, data


def run(*words):
    """Run `attention-zoo train translator`; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "translator", *map(str, words)])
    return ended.value.code


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of sentences, line by line."""
    folder = tmp_path_factory.mktemp("data")
    split = data.synthetic_pairs(200)["train"]
    for language, column in (("en", "source"), ("de", "target")):
        (folder / f"mine.{language}").write_text("\n".join(split[column]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    """A run on the two files."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    words = ("--small", "--data", files / "mine.en", "--translations", files / "mine.de", "--epochs", 1, "--width", 32)
    assert run(*words, "--output", folder, "--half", "--name", "mine") == 0
    return folder


def test_a_run_keeps_a_model_its_measures_and_its_pictures(trained):
    for name in ("curves.png", "alignment.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")
    task = az.load(trained / "model")
    assert (task.config.width, task.card.name) == (32, "mine")
    measures = json.loads((trained / "metrics.json").read_text())["val"]
    assert {"bleu", "bleu_signature", "bleu_tokenised", "chrf", "greedy_bleu", "beam"} <= set(measures)
    assert len(task.translate(["The dog sleeps."], max_length=8)) == 1


def test_it_goes_on_from_a_preset(trained, files, tmp_path):
    words = ("--small", "--data", files / "mine.en", "--translations", files / "mine.de", "--from", trained / "model")
    assert run(*words, "--epochs", 1, "--output", tmp_path / "more") == 0
    assert az.load(tmp_path / "more" / "model").config.width == 32


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "nowhere"), "--data must be one of"),
        (("--small", "--width", "30"), "multiple of heads"),
        (("--small", "--network", "rnn"), "network"),
        (("--from", "clinc150_intent", "--small"), "--from must be a preset of family translator"),
        (("--from", "x", "--width", "64"), "--from takes the preset's own network"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(words, told, capsys, tmp_path):
    assert run(*words, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_files_of_unequal_length_are_named(files, tmp_path, capsys):
    short = tmp_path / "short.de"
    short.write_text("eins\n", encoding="utf-8")
    assert run("--small", "--data", files / "mine.en", "--translations", short, "--output", tmp_path / "out") == 2
    assert "160" in capsys.readouterr().err
