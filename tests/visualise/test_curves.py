"""Training curves, confusion matrix and ROC."""

import sys

import numpy as np
import pytest
from PIL import Image

from attention_zoo.errors import ZooFileError, ZooImportError, ZooValueError
from attention_zoo.visualise import confusion_matrix, roc_curve, training_curves

pytestmark = pytest.mark.once
HISTORY = {"loss": [1.0, 0.5, 0.3], "val_loss": [1.1, 0.6, 0.7], "accuracy": [0.2, 0.5, float("nan")]}


@pytest.fixture(autouse=True)
def _needs_matplotlib(request):
    pytest.importorskip("matplotlib")


def size(path):
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def test_curves_come_from_a_history_or_its_csv(tmp_path):
    csv = tmp_path / "log.csv"
    csv.write_text("epoch,accuracy,loss,val_loss\n0,0.2,1.0,1.1\n1,0.5,0.5,0.6\n2,NA,0.3,0.7\n")
    first = training_curves(HISTORY, tmp_path / "a.svg").read_text()
    assert size(training_curves(csv, tmp_path / "b.png"))[0] > 1000
    assert "best 0.6 in epoch 2" in first


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ({}, "measures of one length"),
        ({"epoch": [0, 1]}, "measures of one length"),
        ({"loss": [1.0], "val_loss": [1.0, 2.0]}, "measures of one length"),
        ({"loss": []}, "at least one epoch"),
        ({"loss": ["high"]}, "one number an epoch"),
    ],
)
def test_a_history_without_numbers_is_one_sentence(history, words, tmp_path):
    with pytest.raises(ZooValueError, match=words):
        training_curves(history, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_missing_csv_is_one_sentence(tmp_path):
    with pytest.raises(ZooFileError, match=r"missing\.csv' cannot be read"):
        training_curves(tmp_path / "missing.csv", tmp_path / "a.png")


@pytest.mark.parametrize("classes", [1, 2, 12, 28, 150])
def test_a_confusion_matrix_of_any_size_is_drawn(classes, tmp_path):
    counts = np.random.default_rng(0).integers(0, 4, (classes, classes)) + 20 * np.eye(classes, dtype=int)
    counts[0] = 0
    names = [f"a_rather_long_class_name_{index}" for index in range(classes)]
    width, height = size(confusion_matrix(counts, names, tmp_path / "matrix.png"))
    assert 400 < height < 2000
    assert width < 3000


def test_the_most_confused_pair_is_named_beside_a_large_matrix(tmp_path):
    counts = 20 * np.eye(60, dtype=int)
    counts[7, 3] = 19
    figure = confusion_matrix(counts, [f"class{index}" for index in range(60)], tmp_path / "matrix.svg").read_text()
    assert "class7 → class3" in figure
    assert "class3 → class7" not in figure


@pytest.mark.parametrize(
    ("matrix", "labels"), [([[1, 2]], ["a"]), ([[1.5]], ["a"]), ([[-1]], ["a"]), ([], []), ([[1]], ["a", "b"])]
)
def test_a_matrix_that_holds_no_counts_is_one_sentence(matrix, labels, tmp_path):
    with pytest.raises(ZooValueError, match="matrix must"):
        confusion_matrix(np.array(matrix), labels, tmp_path / "matrix.png")


def test_the_area_under_the_curve_is_the_share_of_right_orders(tmp_path):
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 200)
    scores = np.round(truth + generator.normal(0, 1, 200), 1)  # rounding makes ties
    high, low = scores[truth == 1][:, None], scores[truth == 0][None]
    expected = float(((high > low) + 0.5 * (high == low)).mean())
    areas = roc_curve({"model": (truth, scores), "perfect": (truth, truth)}, tmp_path / "roc.png")
    assert areas["model"] == pytest.approx(expected, abs=1e-9)
    assert areas["perfect"] == 1.0


@pytest.mark.parametrize("curve", [([1, 1], [0.1, 0.2]), ([0, 1], [0.1]), ([0, 2], [0, 1]), ([0, 1], [0, np.nan])])
def test_a_curve_without_both_classes_is_one_sentence(curve, tmp_path):
    with pytest.raises(ZooValueError, match=r"curves\['x'\] must"):
        roc_curve({"x": curve}, tmp_path / "roc.png")
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ZooImportError, match=r"attention-zoo\[plot\]"):
        training_curves(HISTORY, tmp_path / "a.png")


def test_drawing_leaves_pyplot_alone(tmp_path):
    before = "matplotlib.pyplot" in sys.modules
    training_curves(HISTORY, tmp_path / "a.png")
    assert ("matplotlib.pyplot" in sys.modules) == before
