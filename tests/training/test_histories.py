"""Batches of histories: each once, what follows is the truth, the same numbers for the same (seed, epoch, batch)."""

import numpy as np
import pytest
from keras import ops

from attention_zoo.errors import ZooValueError
from attention_zoo.recsys import Histories
from attention_zoo.training import BinaryChoice, HistoryBatches, Negatives, SampledSoftmax
from attention_zoo.training.histories import NEVER, filled

ITEMS, HIDDEN = 40, 41


def some(count=60, longest=20, seed=0):
    """Make histories whose items count up, so that what follows an item is known."""
    generator = np.random.default_rng(seed)
    starts = generator.integers(1, ITEMS + 1, count)
    lengths = generator.integers(1, longest + 1, count)
    return Histories.of(
        [[(start + step - 1) % ITEMS + 1 for step in range(n)] for start, n in zip(starts.tolist(), lengths.tolist())]
    )


def following(items):
    return items % ITEMS + 1


def make(histories=None, targets=None, **options):
    options = {"length": 10, "batch_size": 8, "negatives": Negatives(np.arange(ITEMS + 1)), **options}
    return HistoryBatches(some() if histories is None else histories, targets, **options)


def take(batches, epoch=0):
    batches.epoch = epoch
    return [batches[index] for index in range(len(batches))]


def places(inputs):
    """Return rows and steps of what is asked."""
    return np.divmod(inputs["places"], inputs["items"].shape[1])


@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_asks_after_every_item_that_another_follows(shuffle):
    histories = some(longest=10)
    asked = 0
    for inputs, truth, weights in take(make(histories, shuffle=shuffle), 3):
        items, real = inputs["items"], weights > 0
        assert items.dtype == inputs["places"].dtype == truth.dtype == np.int32
        assert (np.diff(items > 0, axis=1) >= 0).all()  # padded at the left
        rows, steps = places(inputs)
        np.testing.assert_array_equal(truth[real] + 1, following(items[rows, steps][real]))
        assert real.sum() == (items > 0).sum() and len(real) == filled(int(real.sum()))
        assert len(set(inputs["places"][real].tolist())) == real.sum()
        asked += real.sum()
    assert asked == np.maximum(histories.lengths - 1, 0).sum()


def test_the_order_and_the_draws_depend_on_seed_and_epoch_only():
    options = {"kind": "cloze", "hidden": HIDDEN, "loss": "sampled_softmax", "drawn": 5}
    first, second = make(seed=3, **options), make(seed=3, **options)
    take(second, 0)
    for epoch in (4, 1):
        for one, other in zip(take(first, epoch), take(second, epoch)):
            for name, value in one[0].items():
                np.testing.assert_array_equal(value, other[0][name])
            np.testing.assert_array_equal(one[1], other[1])
    assert any(
        (one[0]["negatives"] != other[0]["negatives"]).any() for one, other in zip(take(first, 0), take(first, 1))
    )


@pytest.mark.parametrize("targets", [None, "some"])
def test_the_second_batch_is_of_another_width_than_the_first(targets):
    histories = some(200)
    batches = make(histories, None if targets is None else np.ones(len(histories), int))
    for epoch in range(5):
        widths = [inputs["items"].shape[1] for inputs, *_ in take(batches, epoch)]
        assert widths[0] != widths[1] and {width % 8 for width in widths} == {0}


def test_hidden_items_are_what_is_asked():
    histories = some(400)
    hidden, read, only_last = 0, 0, 0
    for inputs, truth, weights in take(make(histories, kind="cloze", hidden=HIDDEN, hide=0.3)):
        items, real = inputs["items"], weights > 0
        rows, steps = places(inputs)
        assert (items[rows, steps][real] == HIDDEN).all() and (items == HIDDEN).sum() == real.sum()
        whole = items.copy()
        whole[rows[real], steps[real]] = truth[real] + 1
        pairs = (whole[:, :-1] > 0) & (whole[:, 1:] > 0)
        np.testing.assert_array_equal(whole[:, 1:][pairs], following(whole[:, :-1][pairs]))
        assert (items == HIDDEN).any(axis=1).all()
        long = (whole > 0).sum(axis=1) == 10
        hidden, read = hidden + (items[long] == HIDDEN).sum(), read + 10 * long.sum()
        only_last += ((items[long] == HIDDEN).sum(axis=1) == 1).sum()
    # 0.9 of the rows hide 0.3 of ten items, one at least; the others one.
    assert hidden / read == pytest.approx(0.9 * 0.303 + 0.1 * 0.1, abs=0.03)


@pytest.mark.parametrize("kind", ["next", "cloze"])
def test_of_validation_only_what_comes_after_is_asked(kind):
    histories = some(30)
    targets = np.array([following(history[-1]) for history in histories])
    targets[::3] = 0  # not in the catalogue
    seen = 0
    for inputs, truth, weights in take(make(histories, targets, kind=kind, hidden=HIDDEN)):
        items, real = inputs["items"], weights > 0
        rows, steps = places(inputs)
        assert (steps[real] == items.shape[1] - 1).all() and real.sum() == len(items)
        last = items[:, -1] if kind == "next" else items[:, -2]
        np.testing.assert_array_equal(truth[real] + 1, following(last[rows[real]]))
        assert kind == "next" or (items[:, -1] == HIDDEN).all()
        assert ((items > 0).sum(axis=1) <= 10 + (kind == "cloze")).all()
        seen += real.sum()
    assert seen == (targets > 0).sum()


def test_what_is_taken_off_scores_is_how_often_an_item_is_drawn():
    negatives = Negatives(np.arange(ITEMS + 1), power=1.0)
    for inputs, off, _ in take(make(loss="sampled_softmax", drawn=6, negatives=negatives)):
        right, drawn = inputs["right"], inputs["negatives"]
        assert drawn.shape == (6,) and off.shape == (len(right), 7) and (off[:, 0] == 0).all()
        chances = (drawn + 1) / (np.arange(1, ITEMS + 1) + 1).sum()
        hits = drawn == right[:, None]
        wanted = np.where(hits, NEVER, np.log(6 * chances))
        np.testing.assert_allclose(off[:, 1:], wanted, rtol=1e-5)


def test_a_binary_choice_marks_the_right_item_and_leaves_out_where_it_was_drawn():
    for inputs, said, _ in take(make(loss="bce", drawn=3)):
        right, drawn = inputs["right"], inputs["negatives"]
        assert drawn.shape == (len(right), 3) and (said[:, 0] == 1).all()
        np.testing.assert_array_equal(said[:, 1:], np.where(drawn == right[:, None], -1, 0))


def test_one_place_of_each_row_is_ranked_with_the_right_item_first():
    steps_seen = set()
    for epoch in range(3):
        for inputs, truths, weights in take(make(candidates=4), epoch):
            rows, steps = np.divmod(inputs["ranked"], inputs["items"].shape[1])
            np.testing.assert_array_equal(rows, np.arange(len(rows)))
            np.testing.assert_array_equal(inputs["candidates"][:, 0], following(inputs["items"][rows, steps]))
            assert inputs["candidates"].shape == truths["ranked"].shape == (len(rows), 5)
            assert (weights["ranked"] == 1).all() and truths["next"].shape == weights["next"].shape
            steps_seen |= set((inputs["items"].shape[1] - 1 - steps).tolist())
    assert len(steps_seen) > 6


def test_all_of_a_long_history_is_read_in_time():
    batches = make(Histories.of([list(range(1, 41))] * 8), length=5)
    seen = set()
    for epoch in range(60):
        for inputs, *_ in take(batches, epoch):
            assert ((inputs["items"] > 0).sum(axis=1) == 5).all()
            seen |= set(inputs["items"][inputs["items"] > 0].tolist())
    assert seen == set(range(1, 40))


def test_items_may_stay_on_disk(tmp_path):
    histories = some(100)
    histories.save(tmp_path / "mine")
    mapped = Histories.open(tmp_path / "mine")
    assert isinstance(mapped.values, np.memmap)
    batches = make(mapped)
    assert np.shares_memory(batches.histories.values, mapped.values)
    for one, other in zip(take(batches, 2), take(make(histories), 2)):
        np.testing.assert_array_equal(one[0]["items"], other[0]["items"])


def test_draws_follow_the_counts():
    negatives = Negatives(np.array([99, 0, 3, 8]), power=0.5)
    drawn = negatives.draw(np.random.default_rng(0), 30000)
    wanted = np.sqrt([1, 4, 9]) / 6
    np.testing.assert_allclose(np.bincount(drawn, minlength=4)[1:] / 30000, wanted, atol=0.01)
    np.testing.assert_allclose(np.exp(negatives.log_chance[1:]), wanted, rtol=1e-5)


def test_a_sampled_softmax_is_on_average_the_whole_one():
    generator = np.random.default_rng(0)
    scores, negatives = generator.normal(size=ITEMS).astype("float32"), Negatives(np.arange(ITEMS + 1))
    drawn = negatives.draw(generator, (4000, 64))
    right = 7
    off = np.where(drawn == right, NEVER, negatives.log_chance[drawn] + np.log(64))
    truth = np.concatenate([np.zeros((4000, 1)), off], axis=1).astype("float32")
    said = np.concatenate([np.full((4000, 1), scores[right - 1]), scores[drawn - 1]], axis=1).astype("float32")
    loss = SampledSoftmax(reduction="none")(truth, ops.convert_to_tensor(said))
    sums = np.exp(ops.convert_to_numpy(loss) + scores[right - 1])
    assert sums.mean() == pytest.approx(np.exp(scores).sum(), rel=0.01)


def test_losses_are_means_over_what_is_asked():
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(3, 4)).astype("float32")
    weights = np.array([1.0, 1.0, 0.0], "float32")
    truth = np.array([[1, 0, 0, -1], [1, 0, 0, 0], [1, 0, 0, 0]], "float32")

    def log_sigmoid(value):
        return -np.log1p(np.exp(-value))

    wanted = [-log_sigmoid(scores[0, 0]) - log_sigmoid(-scores[0, 1:3]).sum()]
    wanted += [-log_sigmoid(scores[1, 0]) - log_sigmoid(-scores[1, 1:]).sum()]
    found = BinaryChoice()(truth, ops.convert_to_tensor(scores), sample_weight=weights)
    assert float(found) == pytest.approx(np.mean(wanted), rel=1e-5)
    off = np.zeros((3, 4), "float32")
    plain = np.log(np.exp(scores).sum(axis=1)) - scores[:, 0]
    found = SampledSoftmax()(off, ops.convert_to_tensor(scores), sample_weight=weights)
    assert float(found) == pytest.approx(plain[:2].mean(), rel=1e-5)


def test_sizes_are_rounded_to_few():
    assert [filled(count) for count in (0, 1, 8, 9, 12, 13, 16, 17, 24, 25, 100)] == [
        8, 8, 8, 12, 12, 16, 16, 24, 24, 32, 128,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"histories": Histories.of([[1], [2]])}, "at least 2 known items"),
        ({"kind": "nest"}, "next"),
        ({"loss": "softmaxx"}, "softmax"),
        ({"loss": "bce", "drawn": 0}, "drawn must be"),
        ({"loss": "bce", "drawn": 2, "negatives": None}, "negatives must be given"),
        ({"hide": 1.0}, "hide must be"),
        ({"length": 0}, "length must be"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_what_cannot_work_is_refused(options, words):
    with pytest.raises(ZooValueError, match=words):
        make(**options)
    with pytest.raises(ZooValueError, match="power must be"):
        Negatives(np.ones(3), power=-1.0)
