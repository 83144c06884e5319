"""Teaching a student: new texts, soft labels that are kept, and batches that draw from a pool."""

import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.training.distil import MixedBatches, kept_soft_labels, linear_teacher, mixed_targets
from attention_zoo.training.splicing import delete_tokens, spliced_texts

pytestmark = pytest.mark.once
TEXTS = ["play some loud music", "stop the music now", "what is the weather", "will it rain today"] * 5
LABELS = ["music", "music", "weather", "weather"] * 5


def test_new_texts_are_made_of_the_words_at_hand_and_of_nothing_else():
    made = spliced_texts(TEXTS, LABELS, rounds=6, seed=3)
    assert len(made) == 6 * len(TEXTS)
    assert made == spliced_texts(TEXTS, LABELS, rounds=6, seed=3)
    assert made != spliced_texts(TEXTS, LABELS, rounds=6, seed=4)
    assert {word for text in made for word in text.split()} <= {word for text in TEXTS for word in text.split()}
    assert all(text.strip() for text in made)
    assert len(set(made) - set(TEXTS)) > len(TEXTS)
    assert spliced_texts(TEXTS, LABELS, rounds=0) == []


def test_deleting_leaves_two_tokens_and_short_rows_alone():
    rows = [np.arange(1, 41), np.array([1, 2]), np.array([7])]
    delete, random = delete_tokens(0.5), np.random.default_rng(0)
    kept = [delete(rows, random) for _ in range(200)]
    assert {len(found[1]) for found in kept} == {2}
    assert {len(found[2]) for found in kept} == {1}
    assert np.mean([len(found[0]) for found in kept]) == pytest.approx(20, abs=1)
    assert all((np.diff(found[0]) > 0).all() for found in kept)


def test_an_epoch_has_all_first_rows_and_its_own_part_of_the_pool():
    rows = [np.array([number]) for number in range(100)]
    batches = MixedBatches(rows, np.arange(100), always=30, drawn=20, batch_size=8)
    seen = []
    for epoch in range(2):
        batches.epoch = epoch
        parts = [batches[number] for number in range(len(batches))]
        numbers = np.concatenate([part[1] for part in parts])
        assert len(numbers) == len(set(numbers)) == 50
        assert set(range(30)) <= set(numbers)
        assert all((part[0][:, 0] == part[1]).all() for part in parts)
        seen.append(set(numbers))
    assert seen[0] != seen[1]
    again = MixedBatches(rows, np.arange(100), always=30, drawn=20, batch_size=8)
    again.epoch = 1
    assert (again[3][1] == batches[3][1]).all()
    with pytest.raises(ZooValueError, match="drawn"):
        MixedBatches(rows, np.arange(100), always=90, drawn=20)


def test_targets_join_truth_and_teachers():
    hard, soft = np.eye(4)[[0, 2]], np.full((3, 4), 0.25)
    found = mixed_targets(hard, soft, 0.5, smoothing=0.2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found[0], [0.5 * 0.85 + 0.125, 0.15, 0.15, 0.15], rtol=1e-6)
    np.testing.assert_array_equal(found[2], soft[2])
    for arguments, word in (((hard, soft, 1.5), "weight"), ((hard, soft[:1], 0.5), "soft")):
        with pytest.raises(ZooValueError, match=word):
            mixed_targets(*arguments)


def test_the_linear_teacher_knows_what_it_was_taught():
    hard = np.eye(3)[[0, 0, 2, 2] * 5]  # the label in the middle never occurs
    found = linear_teacher(TEXTS, hard)(["loud music", "rain today"])
    assert found.shape == (2, 3)
    assert found.argmax(axis=1).tolist() == [0, 2]
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    assert not found[:, 1].any()


def test_the_linear_teacher_gives_each_of_several_labels_a_probability():
    truth = np.array([[1, 0], [1, 1], [0, 1], [0, 1]] * 5)
    found = linear_teacher(TEXTS, truth, multi_label=True)(["stop the music now", "will it rain today"])
    assert found[0].min() > 0.5
    assert found[1, 0] < 0.5 < found[1, 1]


def test_soft_labels_are_made_once_and_those_of_others_are_refused(tmp_path):
    path, calls = tmp_path / "deep" / "soft.npz", []

    def make():
        calls.append(1)
        return np.full((2, 3), 1 / 3)

    first, second = (kept_soft_labels(path, {"seed": 0}, make) for _ in range(2))
    assert len(calls) == 1
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ZooValueError, match="other teachers"):
        kept_soft_labels(path, {"seed": 1}, make)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ZooFileError, match="damaged"):
        kept_soft_labels(path, {"seed": 0}, make)
