"""Ranks of targets among all items, what is measured of them, and what has to be beaten."""

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.recsys import Evaluation, Histories, ItemKNN, Markov, Popularity, measures, ranks

pytestmark = pytest.mark.once


def test_a_rank_counts_what_is_before_the_target():
    scores = np.array([[9, 3, 5, 4, 1], [9, 3, 5, 4, 1], [9, 3, 5, 4, 1]], np.float32)
    assert ranks(scores, np.array([2, 1, 4])).tolist() == [1, 3, 4]
    seen = [np.array([2, 3]), np.array([2]), np.array([1, 2, 3, 4])]
    assert ranks(scores, np.array([2, 1, 4]), seen).tolist() == [1, 2, 1]
    assert ranks(scores[:1], np.array([0])).tolist() == [0]


def test_equal_scores_are_ranked_by_number():
    assert ranks(np.zeros((3, 5)), np.array([1, 2, 4])).tolist() == [1, 2, 4]
    assert ranks(np.zeros((1, 5)), np.array([4]), [np.array([1, 2])]).tolist() == [2]


def test_a_rank_is_the_place_in_a_sorted_list():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 6, (40, 21)).astype(float)
    targets = generator.integers(1, 21, 40)
    seen = [generator.integers(1, 21, 5) for _ in range(40)]
    wanted = []
    for row, target in enumerate(targets):
        left = [n for n in range(1, 21) if n == target or n not in seen[row]]
        wanted.append(sorted(left, key=lambda n: (-scores[row, n], n)).index(target) + 1)
    assert ranks(scores, targets, seen).tolist() == wanted


def test_measures_of_ranks_are_those_of_their_formulas():
    told = measures(np.array([1, 3, 12, 0]), ks=(2, 10))
    assert told["recall@2"] == 0.25 and told["recall@10"] == 0.5
    assert told["ndcg@10"] == pytest.approx((1 + 1 / np.log2(4)) / 4) and told["ndcg@2"] == 0.25
    assert told["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 12) / 4)
    with pytest.raises(ZooValueError, match="at least one"):
        measures(np.array([]))


def test_an_evaluation_in_batches_is_that_of_all_at_once():
    generator = np.random.default_rng(1)
    scores, targets = generator.normal(size=(30, 41)), generator.integers(0, 41, 30)
    seen = [np.unique(generator.integers(1, 41, 8)) for _ in range(30)]
    counts = np.concatenate([[0], generator.integers(1, 50, 40)])
    whole, parts = Evaluation(counts, ks=(5,), top=3), Evaluation(counts, ks=(5,), top=3)
    whole.add(scores, targets, seen)
    for start in range(0, 30, 7):
        parts.add(scores[start : start + 7], targets[start : start + 7], seen[start : start + 7])
    assert whole.result() == parts.result() and whole.ranks.tolist() == parts.ranks.tolist()
    assert list(whole.result()) == ["recall@5", "ndcg@5", "mrr", "coverage@3", "popularity_bias@3", "users"]


def test_coverage_and_bias_are_of_the_lists():
    counts = np.array([0, 10, 4, 2, 1])
    same = np.tile(np.array([[0.0, 4, 3, 2, 1]]), (4, 1))
    evaluation = Evaluation(counts, ks=(1,), top=2)
    evaluation.add(same, np.array([3, 3, 4, 4]))
    told = evaluation.result()
    assert told["coverage@2"] == 0.5 and told["popularity_bias@2"] == pytest.approx(7 / 1.5) and told["users"] == 4


def test_a_target_that_was_seen_before_may_be_in_a_list():
    evaluation = Evaluation(np.array([0, 1, 1, 1]), ks=(1,), top=1)
    evaluation.add(np.array([[0.0, 1.0, 2.0, 3.0]]), np.array([2]), [np.array([2, 3])])
    told = evaluation.result()
    assert told["recall@1"] == 1.0 and evaluation._given.tolist() == [0, 0, 1, 0]


def test_what_cannot_be_ranked_is_refused():
    scores = np.zeros((2, 4))
    for wrong in (np.array([1]), np.array([1.0, 2.0]), np.array([1, 4]), np.array([-1, 1])):
        with pytest.raises(ZooValueError, match="targets"):
            ranks(scores, wrong)
    with pytest.raises(ZooValueError, match="NaN"):
        ranks(np.full((1, 3), np.nan), np.array([1]))
    with pytest.raises(ZooValueError, match="excluded"):
        ranks(scores, np.array([1, 2]), [np.array([1])])
    with pytest.raises(ZooValueError, match="scores must be"):
        Evaluation(np.zeros(5)).add(scores, np.array([1, 2]))
    with pytest.raises(ZooValueError, match="at least one"):
        Evaluation(np.zeros(5)).result()


HISTORIES = Histories.of([[1, 2, 3], [1, 2], [2, 1, 2], [4, 3]])


def test_popularity_scores_by_counts():
    assert Popularity.learn(HISTORIES, 5).scores(HISTORIES[:2]).tolist() == [[0, 3, 4, 2, 1, 0]] * 2


def test_neighbours_are_items_of_the_same_users():
    def likeness(i, j, shrinkage=2.0):
        users = {n: {row for row, one in enumerate(HISTORIES) if n in one} for n in (1, 2, 3, 4)}
        both = len(users[i] & users[j])
        return both / (np.sqrt(len(users[i]) * len(users[j])) + shrinkage)

    model = ItemKNN.learn(HISTORIES, 5, shrinkage=2.0)
    found = model.scores(Histories.of([[1], [1, 3, 1], []]))
    assert found.shape == (3, 6) and not found[2].any() and found.dtype == np.float32
    assert found[0].tolist() == pytest.approx([0, 0, likeness(1, 2), likeness(1, 3), 0, 0])
    assert found[1, 4] == pytest.approx(likeness(3, 4)) and found[1, 2] == pytest.approx(
        likeness(1, 2) + likeness(3, 2)
    )
    few = ItemKNN.learn(HISTORIES, 5, shrinkage=2.0, neighbours=1).likeness.toarray()
    assert ((few > 0).sum(axis=1) <= 1).all() and few[1, 2] == pytest.approx(likeness(1, 2))
    with pytest.raises(ZooValueError, match="shrinkage"):
        ItemKNN.learn(HISTORIES, 5, shrinkage=-1.0)


def test_markov_scores_what_came_next():
    found = Markov.learn(HISTORIES, 5).scores(Histories.of([[4, 1], [2], [5], []]))
    assert found.argmax(axis=1).tolist() == [2, 1, 2, 2] and found.dtype == np.float32
    assert found[0, 2] == pytest.approx(1.0, abs=1e-3) and found[1, 3] == pytest.approx(0.5, abs=1e-3)
    assert found[2].tolist() == pytest.approx([0, 3e-5, 4e-5, 2e-5, 1e-5, 0], rel=0.01)
