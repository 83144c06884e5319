"""The recipe as a user runs it: what it writes, that it goes on after a kill, and what it says to bad input."""

import csv
import json

import numpy as np
import pytest

import attention_zoo as az
from attention_zoo import cli
from attention_zoo.training import Checkpoint

FRUIT, CARS = ("apple", "pear", "plum", "grape"), ("engine", "wheel", "brake", "gear")
COLOURS = ("red", "green", "blue", "old", "new")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A user's table of 80 texts."""
    path = tmp_path_factory.mktemp("data") / "mine.csv"
    rows = [(f"a {colour} {thing} here", kind) for kind, things in (("fruit", FRUIT), ("car", CARS)) for thing in things
            for colour in COLOURS for _ in range(2)]  # fmt: skip
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("words", "kind"), *rows])
    return path


def run(*words):
    """Run `attention-zoo train text_classifier`; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "text_classifier", *map(str, words)])
    return ended.value.code


def on_table(table, folder, *words):
    """Run it on the table with a small network."""
    columns = ("--text-column", "words", "--label-column", "kind")
    network = () if "--from" in words else ("--network", "convolutional")
    return run("--small", "--data", table, *columns, *network, "--learning-rate", 1e-3, "--output", folder, *words)


def kill_after(monkeypatch, writes):
    """Stop the program as Ctrl-C does, right after a checkpoint."""
    write, count = Checkpoint.write, []

    def stopping(self, *arguments, **options):
        write(self, *arguments, **options)
        count.append(1)
        if len(count) == writes:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", stopping)


def history(folder):
    """Return the measures of each epoch [epoch, measure], times left out."""
    with open(folder / "history.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(value) for name, value in row.items() if name != "seconds"] for row in rows])


@pytest.fixture(scope="module")
def unbroken(table, tmp_path_factory):
    """A run of three epochs with a teacher."""
    folder = tmp_path_factory.mktemp("runs") / "unbroken"
    assert on_table(table, folder, "--epochs", 3, "--teachers", 1, "--splices", 2) == 0
    return folder


def test_a_run_keeps_a_model_its_measures_and_its_pictures(unbroken):
    for name in ("curves.png", "confusion.png", "roc.png"):
        assert (unbroken / name).read_bytes().startswith(b"\x89PNG")
    assert len(history(unbroken)) == 3
    task = az.load(unbroken / "model")
    assert task.labels == ("car", "fruit")
    assert task.card.trained
    assert task.card.seed == 0
    assert task.card.command.startswith("attention-zoo train text_classifier --data")
    assert "--teachers 1" in task.card.command
    kept = json.loads((unbroken / "metrics.json").read_text())
    assert {f"val_{name}": value for name, value in kept["val"].items()} == task.card.metrics
    assert 0 <= kept["val"]["macro_f1"] <= 1


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(table, unbroken, tmp_path, monkeypatch):
    folder, words = tmp_path / "killed", ("--epochs", 3, "--teachers", 1, "--splices", 2)
    with monkeypatch.context() as patched:
        kill_after(patched, writes=1)  # while the teacher learns
        assert on_table(table, folder, *words) == 130
    assert not (folder / "model").exists()
    with monkeypatch.context() as patched:
        kill_after(patched, writes=2)  # while the student does
        assert on_table(table, folder, *words, "--resume") == 130
    assert on_table(table, folder, *words, "--resume") == 0
    np.testing.assert_allclose(history(folder), history(unbroken), atol=1e-4)
    texts = ["a red apple", "an old gear"]
    first, second = (az.load(place / "model").logits(texts) for place in (unbroken, folder))
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_a_preset_can_be_fine_tuned_and_folds_are_judged(table, unbroken, tmp_path, recwarn):
    words = ("--from", unbroken / "model", "--epochs", 1, "--folds", 2, "--half")
    assert on_table(table, tmp_path / "tuned", *words) == 0
    folds = json.loads((tmp_path / "tuned" / "folds.json").read_text())
    assert len(folds["folds"]) == 2
    assert folds["deviation"]["accuracy"] >= 0
    with np.load(tmp_path / "tuned" / "model" / "weights.npz") as archive:
        assert archive["0"].dtype == np.float16


def test_another_student_can_use_the_teachers_of_a_run(table, unbroken, tmp_path, capsys):
    words = ("--epochs", 1, "--teachers", 1, "--seed", 1, "--taught-by")
    folder = tmp_path / "second"
    assert on_table(table, folder, *words, unbroken, "--splices", 2) == 0
    assert not (folder / "teachers").exists()
    assert az.load(folder / "model").card.seed == 1
    capsys.readouterr()
    assert on_table(table, tmp_path / "third", *words, unbroken, "--splices", 3) == 2
    assert "other teachers or texts" in capsys.readouterr().err.strip().splitlines()[-1]
    assert on_table(table, tmp_path / "fourth", *words, tmp_path / "nothing", "--splices", 2) == 2
    assert "holds none" in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.once
def test_small_takes_the_bundled_sample(tmp_path, capsys):
    assert run("--small", "--epochs", 1, "--network", "convolutional", "--test", "--output", tmp_path / "small") == 0
    told = capsys.readouterr().out
    assert "test:" in told
    assert "out_of_scope_auroc" in told
    card = az.load(tmp_path / "small" / "model").card
    assert card.data == "clinc150 (bundled sample)"
    assert card.licence == "CC BY 3.0"
    assert card.permissive


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--label-column", "sort"), "label column 'sort' is not in"),
        (
            ("--label-column", "words", "--text-column", "kind", "--network", "recurent"),
            "nearest names are 'recurrent'",
        ),
        (("--epochs", 0), "epochs must be a whole number of at least 1"),
        (("--from", "clinc150_intents_"), "model 'clinc150_intents_' is unknown"),
        (("--from", "x", "--network", "recurrent"), "--from takes the preset's own network"),
        (("--test",), "--test wants a test split"),
        (("--attention", "rotary"), "take --network transformer"),
        (("--seed", -1), "seed must be"),
        (("--splices", -1), "--splices must be at least 0"),
        (("--schedule", "cosin"), "nearest names are 'cosine'"),
        (("--colour", 1), "No such option"),
    ],
)
def test_bad_input_gets_one_sentence_and_nothing_is_written(table, tmp_path, capsys, words, sentence):
    base = {"--text-column": "words", "--label-column": "kind"}
    told = [word for name, value in base.items() if name not in words for word in (name, value)]
    assert run("--small", "--data", table, "--output", tmp_path / "run", *told, *words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert sentence in said[-1]
    assert not any("Traceback" in line for line in said)
    assert not (tmp_path / "run").exists()


@pytest.mark.once
def test_one_class_no_table_and_places_that_cannot_be_written_are_said(table, tmp_path, capsys):
    one = tmp_path / "one.csv"
    one.write_text("text,label\nhello there,yes\ngood day,yes\n")
    file = tmp_path / "file"
    file.write_text("")
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep me")
    mine = ("--data", table, "--text-column", "words", "--label-column", "kind")
    cases = [
        (("--data", one), "at least two labels"),
        (("--data", "clinc"), "--data must be one of"),
        (("--data", tmp_path / "none.csv"), "none.csv"),
        ((*mine, "--output", file / "run"), "cannot be written"),
        ((*mine, "--output", full), "exists"),
    ]
    for words, sentence in cases:
        assert run("--small", *words) == 2
        assert sentence in capsys.readouterr().err.strip().splitlines()[-1]
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
