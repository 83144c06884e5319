"""A language model that counts: shares that sum to 1, by the formulas, and read back as they were."""

import itertools
import math

import numpy as np
import pytest

from attention_zoo.errors import ZooError
from attention_zoo.text.ngram import NGram

pytestmark = pytest.mark.once

SMOOTHINGS = ("kneser_ney", "witten_bell")
SIZE = 12


def rows(count=300, seed=0):
    """Return texts in which what comes next hangs on the two before."""
    random, found = np.random.default_rng(seed), []
    for _ in range(count):
        row = [4, 5]
        while random.random() > 0.1 and len(row) < 12:
            row.append(4 + (row[-1] + row[-2] + int(random.random() < 0.2)) % 7)
        found.append(row[int(random.integers(0, 3)) :])
    return found


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_probabilities_after_anything_sum_to_1(order, smoothing):
    model = NGram.train(rows(), order, SIZE, smoothing)
    for said in [(), (4,), (5, 5, 5, 5), (11,), (4, 5, 4), (6, 9, 1, 1), (10, 10)]:
        state = model.start()
        for unit in said:
            state = model.follow(state, unit)
        shares = np.exp(model.scores(state))
        assert shares.sum() == pytest.approx(1.0, abs=1e-9)
        assert shares[0] == shares[2] == 0
        # What was never seen can still come, units 1 and 11 among it, and the end.
        assert (np.delete(shares, [0, 2]) > 0).all()


def test_witten_bell_is_the_formula():
    # After 4: 5 twice, the end once. By themselves: 4 and the end three times each, 5 twice.
    model = NGram.train([[4, 5], [4, 5], [4]], 2, 6, "witten_bell")
    even = 1 / 4
    alone = {3: (3 + 3 * even) / 11, 4: (3 + 3 * even) / 11, 5: (2 + 3 * even) / 11, 1: 3 * even / 11}
    after = {5: (2 + 2 * alone[5]) / 5, 3: (1 + 2 * alone[3]) / 5, 4: 2 * alone[4] / 5, 1: 2 * alone[1] / 5}
    state = model.follow(model.start(), 4)
    for unit, share in after.items():
        assert model.score(state, unit)[0] == pytest.approx(math.log(share))
    # Unit 1 was never seen: nothing is known of what follows it.
    assert model.score(model.follow(state, 1), 5)[0] == pytest.approx(math.log(alone[5]))


def test_kneser_ney_counts_contexts_and_discounts_by_its_formula():
    texts = rows()
    model = NGram.train(texts, 2, SIZE)
    pairs = [pair for row in texts for pair in itertools.pairwise((2, *row, 3))]
    counts = {pair: pairs.count(pair) for pair in set(pairs)}
    ways = {unit: sum(pair[1] == unit for pair in counts) for unit in range(SIZE)}

    def discounts(values):
        seen = [sum(value == number for value in values) for number in range(5)]
        first = seen[1] / (seen[1] + 2 * seen[2]) if all(seen[1:]) else None
        if first is None:
            return [0, 0.5, 1.0, 1.5]
        taken = [n - (n + 1) * first * seen[n + 1] / seen[n] for n in (1, 2, 3)]
        return [0, *taken] if all(0 < one < n for n, one in zip((1, 2, 3), taken)) else [0, 0.5, 1.0, 1.5]

    def spread(values, lower):
        total, taken = sum(values.values()), discounts(every)
        rest = sum(taken[min(value, 3)] for value in values.values()) / total
        return [
            (values.get(unit, 0) - taken[min(values.get(unit, 0), 3)]) / total + rest * lower[unit]
            for unit in range(SIZE)
        ]

    even = [0 if unit in (0, 2) else 1 / (SIZE - 2) for unit in range(SIZE)]
    every = [value for value in ways.values() if value]
    alone = spread({unit: value for unit, value in ways.items() if value}, even)
    every = list(counts.values())
    for before in (2, 4, 7):
        wanted = spread({pair[1]: value for pair, value in counts.items() if pair[0] == before}, alone)
        state = model.start() if before == 2 else model.follow(model.start(), before)
        np.testing.assert_allclose(np.exp(model.scores(state)), wanted, atol=1e-12)


def test_more_context_foretells_better():
    held = rows(100, seed=1)
    found = [NGram.train(rows(), order, SIZE).perplexity(held) for order in (1, 2, 3)]
    assert found[0] > 1.1 * found[1] > 1.2 * found[2] > 1
    texts = NGram.train(rows(), 3, SIZE)
    state, total = texts.start(), 0.0
    for unit in (4, 5, 6):
        one, state = texts.score(state, unit)
        total += one
    assert texts.total([4, 5, 6]) == pytest.approx(total + texts.scores(state)[3])
    assert texts.perplexity([[4, 5, 6]]) == pytest.approx(math.exp(-texts.total([4, 5, 6]) / 4))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_it_comes_back_from_its_file(tmp_path, smoothing):
    model = NGram.train(rows(), 4, SIZE, smoothing)
    path = model.save(tmp_path / "language.npz")
    again = NGram.load(path)
    assert (again.order, again.vocabulary_size) == (4, SIZE)
    for row in rows(20, seed=2):
        assert again.total(row) == pytest.approx(model.total(row), abs=1e-5)
    for state in (model.start(), (4, 5), ()):
        assert np.exp(again.scores(state)).sum() == pytest.approx(1.0, abs=1e-9)
    assert path.stat().st_size < 20_000


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        ([], {}, "rows must hold at least one text, got none"),
        ([[4, 0]], {}, "rows must hold ids from 1 to 11 but 2 and 3, got 0"),
        ([[4, 3]], {}, "rows must hold ids .* got 3"),
        ([[12]], {}, "rows must hold ids .* got 12"),
        ([[4]], {"order": 0}, "order must be a whole number of at least 1 .units., got 0"),
        ([[4]], {"smoothing": "kneser"}, "smoothing 'kneser' is unknown; the nearest names are 'kneser_ney'"),
    ],
)
def test_what_cannot_work_is_refused(texts, options, sentence):
    with pytest.raises(ZooError, match=sentence):
        NGram.train(texts, **{"order": 2, "vocabulary_size": SIZE, **options})


def test_texts_that_are_empty_are_texts():
    model = NGram.train([[], [4], []], 3, 6)
    assert model.total([]) > model.total([4]) > model.total([5])


@pytest.mark.parametrize("content", [b"", b"words", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    with pytest.raises(ZooError, match="missing"):
        NGram.load(tmp_path / "language.npz")
    (tmp_path / "language.npz").write_bytes(content)
    with pytest.raises(ZooError, match=r"language.npz is damaged: it is no language model"):
        NGram.load(tmp_path / "language.npz")
    np.savez(tmp_path / "other.npz", about=np.array([9, 2, 12]))
    with pytest.raises(ZooError, match=r"other.npz must have format 1, got 9"):
        NGram.load(tmp_path / "other.npz")
    NGram.train([[4, 5]], 2, SIZE).save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    for cut in (whole[: len(whole) // 2], whole[:90] + bytes(8) + whole[98:]):
        (tmp_path / "whole.npz").write_bytes(cut)
        with pytest.raises(ZooError, match="damaged"):
            NGram.load(tmp_path / "whole.npz")
