"""Measures against hand-made cases and plain loops."""

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.training import metrics

pytestmark = pytest.mark.once
RANDOM = np.random.default_rng(1)


def test_a_perfect_classifier_has_perfect_numbers():
    labels = np.array([0, 1, 2, 1, 0])
    scores = metrics.single_label(np.eye(3)[labels], labels)
    assert scores.pop("nll") == scores.pop("calibration_error") == 0
    assert set(scores.values()) == {1.0}


def test_single_label_numbers_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]])
    scores = metrics.single_label(probabilities, [0, 0, 1, 1])
    assert scores["accuracy"] == scores["micro_f1"] == 0.75
    assert scores["macro_precision"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["macro_recall"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert scores["macro_roc_auc"] == 0.75
    assert scores["nll"] == pytest.approx(-np.log([0.9, 0.6, 0.7, 0.2]).mean())
    np.testing.assert_array_equal(metrics.confusion_matrix([0, 0, 1, 0], [0, 0, 1, 1], 3)[:2, :2], [[2, 0], [1, 1]])


def test_multi_label_numbers_by_hand():
    probabilities = np.array([[0.9, 0.2], [0.4, 0.6], [0.1, 0.7]])
    targets = np.array([[1, 0], [1, 1], [0, 0]])
    scores = metrics.multi_label(probabilities, targets)
    assert scores["accuracy"] == pytest.approx(1 / 3)
    assert scores["label_accuracy"] == pytest.approx(4 / 6)
    assert scores["macro_f1"] == pytest.approx(2 / 3)
    assert metrics.multi_label(probabilities, targets, [0.3, 0.65])["macro_f1"] == pytest.approx(0.5)


def test_labels_without_a_curve_are_left_out_of_the_area():
    scores = np.array([[0.9, 0.5], [0.1, 0.5]])
    assert metrics.roc_auc(scores, [[1, 0], [0, 0]]) == {"macro_roc_auc": 1.0, "weighted_roc_auc": 1.0}
    assert metrics.roc_auc(scores, [[0, 0], [0, 0]]) == {"macro_roc_auc": None, "weighted_roc_auc": None}


def f1_at(probability, target, threshold):
    found = probability >= threshold
    return 2 * np.sum(found & (target == 1)) / (found.sum() + target.sum())


def test_best_thresholds_are_as_good_as_a_search_over_all():
    probabilities = RANDOM.random((40, 6)).round(1)  # many ties
    targets = (RANDOM.random((40, 6)) < 0.3).astype(int)
    targets[:, 5] = 0
    chosen = metrics.best_thresholds(probabilities, targets)
    assert chosen[5] == 0.5
    for label in range(5):
        p, t = probabilities[:, label], targets[:, label]
        best = max(f1_at(p, t, threshold) for threshold in np.linspace(0, 1, 401))
        assert f1_at(p, t, chosen[label]) == pytest.approx(best)


def test_calibration_error_is_zero_for_the_honest_and_large_for_the_boastful():
    labels = np.array([0] * 7 + [1] * 3)
    assert metrics.calibration_error(np.tile([0.7, 0.3], (10, 1)), labels) == pytest.approx(0)
    assert metrics.calibration_error(np.tile([1.0, 0.0], (10, 1)), labels) == pytest.approx(0.3)


def test_the_temperature_that_was_put_in_is_found():
    honest = RANDOM.normal(size=(4000, 5)) * 2
    labels = np.array([RANDOM.choice(5, p=p) for p in metrics.softmax(honest)])
    temperature = metrics.fit_temperature(honest * 3, labels)
    assert temperature == pytest.approx(3, rel=0.1)
    boastful, mended = (metrics.softmax(honest * 3, t) for t in (1.0, temperature))
    assert metrics.negative_log_likelihood(mended, labels) < metrics.negative_log_likelihood(boastful, labels)
    assert metrics.calibration_error(mended, labels) < 0.3 * metrics.calibration_error(boastful, labels)


def test_outliers_that_score_higher_are_found():
    assert metrics.outlier_auroc([0.1, 0.2, 0.3], [0.4, 0.9]) == 1
    assert metrics.outlier_auroc([0.1, 0.5], [0.1, 0.5]) == 0.5


def test_extreme_logits_stay_finite():
    np.testing.assert_allclose(metrics.sigmoid([-1e4, 0, 1e4]), [0, 0.5, 1])
    np.testing.assert_allclose(metrics.softmax([[1e4, -1e4]]), [[1, 0]])


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (lambda: metrics.single_label([[0.5, 0.5]], [2]), "labels must be from 0 to 1"),
        (lambda: metrics.single_label([[0.5, 0.5]], [0, 1]), "one number per example"),
        (lambda: metrics.single_label([0.5], [0]), "rank 2"),
        (lambda: metrics.single_label([[np.nan, 0.5]], [0]), "finite"),
        (lambda: metrics.multi_label([[0.5, 0.5]], [[0, 2]]), "0 and 1"),
        (lambda: metrics.outlier_auroc([], [1.0]), "filled"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(wrong, word):
    with pytest.raises(ZooValueError, match=word):
        wrong()
