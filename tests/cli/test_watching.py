"""inspect, monitor, calibrate: what they print and leave, and one sentence for what goes wrong."""

import csv
import json

import numpy as np
import pytest

import attention_zoo as az
from attention_zoo import calibrate, cli, watch

pytestmark = pytest.mark.once


def run(*words):
    """Run the command line; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main([*map(str, words)])
    return ended.value.code


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Normal texts, other ones, and labelled tables."""
    folder = tmp_path_factory.mktemp("texts")
    sample = az.data.load("clinc150", sample=True)["train"].take(700, seed=0)
    # Mixed: a window of one intent alone is not normal.
    order = np.random.default_rng(0).permutation(700)
    texts, labels = ([sample[name][number] for number in order] for name in ("text", "label"))
    (folder / "normal.txt").write_text("\n".join(texts[:500]))
    (folder / "more.txt").write_text("\n".join(texts[500:]))
    (folder / "words.txt").write_text("\n".join("yes" for _ in range(64)))
    for name, part in {"learn.csv": slice(0, 40), "held.csv": slice(40, 80)}.items():
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *zip(texts[part], labels[part])])
    return folder


@pytest.fixture(scope="module")
def detector(files):
    """A detector that `inspect` wrote."""
    words = ("--detector", files / "detector.npz", "--baseline", files / "baseline.json")
    assert run("inspect", "clinc150_intent", "--file", files / "normal.txt", *words) == 0
    return files / "detector.npz"


def test_inspect_tells_each_head_and_keeps_what_is_normal(files, detector, capsys):
    assert watch.Baseline.load(files / "baseline.json").about == {"model": "clinc150_intent"}
    assert run("inspect", "clinc150_intent", "--file", files / "normal.txt") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["SITE", "HEAD", "ENTROPY"]
    assert [line.split()[:2] for line in lines[1:]] == [["pooling", str(head)] for head in range(4)]


def test_a_self_test_tells_a_changed_model_and_an_export_from_what_is_on_record(files, capsys, tmp_path):
    (tmp_path / "few.txt").write_text("\n".join((files / "normal.txt").read_text().splitlines()[:20]))
    test = tmp_path / "test.npz"
    assert run("inspect", "clinc150_intent", "--file", tmp_path / "few.txt", "--self-test", test) == 0
    assert run("self-test", "clinc150_intent", test) == 0
    assert "is as on record: largest change" in capsys.readouterr().err
    task = az.load("clinc150_intent")
    task.reweight({"pooling": calibrate.FaultRule("shifted", [2])}).export(tmp_path / "out", attention="statistics")
    assert run("self-test", tmp_path / "out", test, "--json") == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["site"], json.loads(line)["head"]) == ("pooling", 2)
    task.reweight(None).export(tmp_path / "sound", attention="statistics")
    assert run("self-test", tmp_path / "sound", test) == 0
    assert run("self-test", tmp_path / "sound", tmp_path / "few.txt") == 2
    assert "is no self-test, or damaged" in capsys.readouterr().err


def test_monitor_is_quiet_on_normal_texts_and_names_heads_on_others(files, detector, capsys):
    assert run("monitor", "clinc150_intent", "--detector", detector, "--file", files / "more.txt") == 0
    assert "0 of 12 windows" in capsys.readouterr().err
    words = ("--file", files / "words.txt", "--json")
    assert run("monitor", "clinc150_intent", "--detector", detector, *words) == 1
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["site"] == "pooling" and first["window"] == 1


def test_calibrate_writes_a_model_and_says_what_changed(files, tmp_path, capsys):
    words = ("--data", files / "learn.csv", "--held-out", files / "held.csv", "--epochs", 1)
    assert run("calibrate", "clinc150_intent", *words, "--output", tmp_path / "mine") == 0
    assert "calibration_error" in capsys.readouterr().out
    assert az.load(tmp_path / "mine").labels == az.load("clinc150_intent").labels


def test_a_translator_is_looked_into_too(tmp_path, capsys):
    record = tmp_path / "t.npz"
    assert run("inspect", "multi30k_en_de", "A dog runs.", "Two men talk.", "--self-test", record) == 0
    assert "decoder.block_1.cross_attention" in capsys.readouterr().out
    assert run("self-test", "multi30k_en_de", record) == 0


def test_what_cannot_work_is_told_in_a_sentence(files, detector, capsys):
    assert run("monitor", "clinc150_intent", "--detector", detector, "one text") == 2
    assert "the detector judges 16 inputs together, got 1" in capsys.readouterr().err
    words = ("--data", files / "learn.csv", "--held-out", files / "held.csv", "--output", files / "never")
    assert run("calibrate", "multi30k_en_de", *words) == 2
    assert "this command is for classifiers" in capsys.readouterr().err
    words = ("--data", files / "learn.csv", "--held-out", files / "held.csv", "--rules", "temprature")
    assert run("calibrate", "clinc150_intent", *words, "--output", files / "never") == 2
    assert "rule 'temprature' is unknown" in capsys.readouterr().err
    assert run("export", "clinc150_intent", files / "out", "--attention", "--statistics") == 2
    assert "give --attention or --statistics, not both" in capsys.readouterr().err
