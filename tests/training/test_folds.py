"""Folds: every example held out once, every label in its share."""

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.training import cross_validate, fold_indices

pytestmark = pytest.mark.once


def test_every_example_is_held_out_once_and_labels_keep_their_shares():
    labels = np.array(["a"] * 50 + ["b"] * 25 + ["c"] * 6)
    parts = fold_indices(labels, folds=5, seed=2)
    assert sorted(np.concatenate([held_out for _, held_out in parts])) == list(range(81))
    for train, held_out in parts:
        assert not set(train) & set(held_out)
        assert len(train) + len(held_out) == 81
        assert [np.sum(labels[held_out] == name) for name in "ab"] == [10, 5]
        assert 1 <= np.sum(labels[held_out] == "c") <= 2


def test_folds_depend_on_the_seed_only():
    labels = np.arange(40) % 4
    same, again, other = (fold_indices(labels, 4, seed)[0][1].tolist() for seed in (1, 1, 2))
    assert same == again != other


def test_rare_labels_of_many_are_spread():
    targets = np.zeros((100, 3), int)
    targets[:, 0] = 1
    targets[:5, 2] = 1
    assert all(targets[held_out, 2].sum() == 1 for _, held_out in fold_indices(targets, 5))


def test_results_are_averaged_over_folds():
    def build(train, held_out, fold):
        return {"accuracy": fold / 10, "size": len(held_out), "note": "text"}

    report = cross_validate(build, np.arange(9) % 3, folds=3)
    assert [result["accuracy"] for result in report["folds"]] == [0.0, 0.1, 0.2]
    assert report["mean"] == pytest.approx({"accuracy": 0.1, "size": 3})
    assert report["deviation"] == pytest.approx({"accuracy": 0.1, "size": 0})


@pytest.mark.parametrize("folds", [1, 10])
def test_impossible_folds_are_refused(folds):
    with pytest.raises(ZooValueError, match="folds must be from 2"):
        fold_indices(np.arange(9) % 3, folds)
