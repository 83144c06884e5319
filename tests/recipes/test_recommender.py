"""The recipe of recommenders as a user runs it: what it writes, how it goes on, what it says to bad input."""

import csv
import json

import numpy as np
import pytest

import attention_zoo as az
from attention_zoo import cli
from attention_zoo.training import Checkpoint


def run(*words):
    """Run `attention-zoo train recommender`; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "recommender", *map(str, words)])
    return ended.value.code


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of forty users who go round eleven items, with a brand."""
    path = tmp_path_factory.mktemp("data") / "mine.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user", "item", "time", "brand"))
        for user in range(40):
            for step in range(6):
                item = (user + step) % 11
                writer.writerow((f"u{user}", f"i{item:02}", step, "even" if item % 2 == 0 else "odd"))
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    """A run on the table."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    words = ("--small", "--data", table, "--epochs", 2, "--network", "din", "--test")
    assert run(*words, "--output", folder, "--half", "--name", "mine") == 0
    return folder


def test_a_run_keeps_a_model_its_measures_and_its_pictures(trained):
    for name in ("curves.png", "explanation.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")
    task = az.load(trained / "model")
    assert (task.config.network, task.config.width, task.card.name) == ("din", 32, "mine")
    measures = json.loads((trained / "metrics.json").read_text())
    for split in ("val", "test"):
        for name in ("recall@10", "ndcg@10", "mrr", "coverage@10", "popularity_recall@10", "item_knn_ndcg@10"):
            assert 0 <= measures[split][name] <= 1
        assert measures[split]["users"] == 40
    assert task.card.command.startswith("attention-zoo train recommender")
    assert len(task.recommend([["i01", "i02"]], k=3)[0].items) == 3


def test_it_goes_on_from_a_preset_with_new_items(trained, table, tmp_path):
    more = tmp_path / "more.csv"
    more.write_text(table.read_text(encoding="utf-8") + "".join(f"v{n},new,{n},\n" for n in range(9)), "utf-8")
    words = ("--small", "--data", more, "--from", trained / "model", "--epochs", 1)
    assert run(*words, "--output", tmp_path / "more") == 0
    assert "new" in az.load(tmp_path / "more" / "model").preprocessor.index


def history(folder):
    """Return the loss of each epoch."""
    with open(folder / "history.csv", encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(table, tmp_path, monkeypatch):
    words = ("--small", "--data", table, "--epochs", 3)
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


def test_a_table_may_be_cut_by_time(table, tmp_path):
    words = ("--small", "--data", table, "--epochs", 1, "--split", "time", "--choice", "sampled_softmax")
    assert run(*words, "--negatives", 5, "--output", tmp_path / "a") == 0
    assert az.load(tmp_path / "a" / "model").config.network == "sasrec"


@pytest.mark.once
def test_small_is_synthetic_and_says_so(tmp_path, capsys):
    assert run("--small", "--epochs", 1, "--test", "--output", tmp_path / "a") == 0
    assert '"recall@10"' in capsys.readouterr().out
    assert az.load(tmp_path / "a" / "model").card.data == "synthetic_interactions"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "nowhere"), "--data must be one of"),
        (("--small", "--width", "31"), "multiple of heads"),
        (("--small", "--network", "sasrek"), "nearest names are 'sasrec'"),
        (("--small", "--choice", "softmx"), "loss 'softmx' is unknown"),
        (("--small", "--negatives", "5"), "negatives must be left out"),
        (("--small", "--attention", "axial"), "made causal"),
        (("--from", "clinc150_intent", "--small"), "--from must be a preset of family recommender"),
        (("--from", "x", "--width", "64"), "--from takes the preset's own network"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(words, told, capsys, tmp_path):
    assert run(*words, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
