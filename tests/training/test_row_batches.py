"""Batches of rows with several modalities: what belongs together stays together, and few shapes come of it."""

import numpy as np
import pytest

from attention_zoo.errors import ZooError
from attention_zoo.training import RowBatches


def rows(count=23, seed=0):
    """Make rows with a sound of some length in most, and a vector in some."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(count):
        row = {"audio": np.full((int(generator.integers(1, 90)), 2), number, "float16")}
        if number % 3:
            row["image"] = np.full((1, 4), number, "float32")
        made.append(row)
    return made


def padded(part, widths):
    """Put rows into arrays as a preprocessor does."""
    found = {}
    for name, tail in (("audio", 2), ("image", 4)):
        counts = np.array([len(row.get(name, ())) for row in part], "int32")
        array = np.zeros((len(part), max(widths[name], 1), tail), "float32")
        for place, row in zip(array, part):
            if name in row:
                place[: len(row[name])] = row[name]
        found |= {name: array, f"{name}_steps": counts}
    return found


def made(**options):
    """Cut rows into batches of six."""
    own = {"multiples": {"audio": 16, "image": 8}, "batch_size": 6, **options}
    return RowBatches(rows(), padded, np.arange(23), **own)


def test_each_row_comes_once_an_epoch_with_its_target():
    batches = made()
    for epoch in (0, 3):
        batches.epoch = epoch
        seen = [batches[index] for index in range(len(batches))]
        assert sorted(np.concatenate([truth for _, truth in seen]).tolist()) == list(range(23))
        for inputs, truth in seen:
            np.testing.assert_array_equal(inputs["audio"][:, 0, 0], truth)
            assert (inputs["image_steps"] == (truth % 3 > 0)).all()
    assert [list(batch) for batch in batches.order(0)] != [list(batch) for batch in batches.order(1)]


def test_widths_are_multiples_and_one_step_stays_one():
    batches = made()
    widths = {batches[index][0]["audio"].shape[1] for index in range(len(batches))}
    assert all(width % 16 == 0 for width in widths) and len(widths) > 1
    assert {batches[index][0]["image"].shape[1] for index in range(len(batches))} == {1}


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_second_batch_is_of_another_width_than_the_first(shuffle):
    for seed in range(5):
        batches = made(shuffle=shuffle, seed=seed)
        assert batches[0][0]["audio"].shape[1] != batches[1][0]["audio"].shape[1]


def test_rows_of_one_length_are_padded_alike():
    same = [{"audio": np.ones((5, 2), "float32"), "image": np.ones((1, 4), "float32")}] * 9
    batches = RowBatches(same, padded, multiples={"audio": 16, "image": 8}, batch_size=4)
    assert {batches[index][0]["audio"].shape[1] for index in range(len(batches))} == {16}


def test_outputs_come_back_in_the_order_of_the_rows():
    batches = RowBatches(rows(), padded, multiples={"audio": 16, "image": 8}, batch_size=6, shuffle=False)
    outputs = np.concatenate([batches[index][0]["audio"][:, 0, 0] for index in range(len(batches))])
    np.testing.assert_array_equal(batches.restore(outputs), np.arange(23))


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_conversation_is_whole_and_in_order(shuffle):
    groups = [None if number % 5 == 0 else number % 4 for number in range(23)]
    batches = made(groups=groups, shuffle=shuffle)
    count = len(batches)
    for epoch in range(3):
        order = batches.order(epoch)
        assert len(order) == count and all(len(batch) for batch in order)
        assert sorted(np.concatenate(order).tolist()) == list(range(23))
        for group in range(4):
            holding = [batch for batch in order if any(groups[row] == group for row in batch)]
            assert len(holding) == 1
            assert [row for row in holding[0] if groups[row] == group] == [
                row for row in range(23) if groups[row] == group
            ]


def test_other_targets_stand_beside_the_main_ones():
    batches = made(others={"sex": np.arange(23) % 2})
    _, truth = batches[0]
    assert set(truth) == {"logits", "sex"}
    np.testing.assert_array_equal(truth["sex"], truth["logits"] % 2)


def test_what_is_changed_in_training_depends_on_the_batch_alone():
    def louder(array, steps, generator):
        return array + generator.normal()

    one, other = made(augment={"audio": louder}), made(augment={"audio": louder})
    np.testing.assert_array_equal(one[2][0]["audio"], other[2][0]["audio"])
    assert not np.array_equal(one[2][0]["audio"], made()[2][0]["audio"])


@pytest.mark.parametrize(
    "options",
    [{"groups": [1]}, {"others": {"sex": [0]}}, {"augment": {"audio": 3}}, {"multiples": {"audio": 0}}, {"pool": 0}],
    ids=str,
)
def test_what_does_not_fit_is_said(options):
    with pytest.raises(ZooError):
        made(**options)


def test_augment_must_keep_the_shape():
    batches = made(augment={"audio": lambda array, steps, generator: array[:, 1:]})
    with pytest.raises(ZooError, match="keep the shape"):
        batches[0]
