"""The best k by blocks are those of a whole sort, with ties, exclusions and what is allowed."""

import numpy as np
import pytest

from attention_zoo.errors import ZooImportError, ZooValueError
from attention_zoo.recsys import Blocks, FaissIndex, top_k, top_scores
from attention_zoo.recsys.retrieval import _largest

pytestmark = pytest.mark.once

ITEMS, WIDTH, BATCH = 203, 6, 5


def table(levels=None, seed=0):
    """Return a table; of few levels, so that many scores are equal."""
    generator = np.random.default_rng(seed)
    if levels is None:
        return generator.normal(size=(ITEMS + 1, WIDTH)).astype(np.float32)
    return generator.integers(-levels, levels + 1, (ITEMS + 1, WIDTH)).astype(np.float32)


def queries(seed=1):
    return np.random.default_rng(seed).integers(-2, 3, (BATCH, WIDTH)).astype(np.float32)


def oracle(scores, k, excluded=None, allowed=None):
    """Sort each row by score and then number, in Python."""
    numbers, found = [], []
    for row, values in enumerate(scores.tolist()):
        left = [n for n in range(1, len(values)) if allowed is None or n in set(np.asarray(allowed).tolist())]
        left = [n for n in left if excluded is None or n not in set(np.asarray(excluded[row]).tolist())]
        best = sorted(left, key=lambda n: (-values[n], n))[:k]
        numbers.append(best + [0] * (k - len(best)))
        found.append([values[n] for n in best] + [-np.inf] * (k - len(best)))
    return np.array(numbers), np.array(found, np.float32)


def same(found, wanted):
    assert found[0].dtype == np.int32 and found[1].dtype == np.float32
    assert found[0].tolist() == wanted[0].tolist()
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-5)


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
@pytest.mark.parametrize("levels", [None, 1, 0])
@pytest.mark.parametrize("k", [1, 10, ITEMS])
def test_blocks_give_what_a_whole_sort_gives(block, levels, k):
    items, asked = table(levels), queries()
    same(top_k(asked, items, k, block=block), oracle(asked @ items.T, k))


@pytest.mark.parametrize("block", [5, 50, 300])
@pytest.mark.parametrize("levels", [None, 1])
def test_what_is_seen_or_not_allowed_is_never_given(block, levels):
    items, asked = table(levels), queries()
    scores = asked @ items.T
    generator = np.random.default_rng(2)
    seen = [generator.integers(1, ITEMS + 1, size) for size in (0, 3, 200, 50, 600)]
    allowed = generator.permutation(np.arange(1, ITEMS + 1))[:30]
    same(top_k(asked, items, 12, seen, block=block), oracle(scores, 12, seen))
    same(top_k(asked, items, 12, None, allowed, block=block), oracle(scores, 12, None, allowed))
    same(top_k(asked, items, 40, seen, allowed, block=block), oracle(scores, 40, seen, allowed))
    same(top_scores(scores, 40, seen, allowed), oracle(scores, 40, seen, allowed))
    same(top_scores(scores, 12, seen), oracle(scores, 12, seen))


def test_a_bias_counts_and_the_arguments_stay_as_they_are():
    items, asked, bias = table(), queries(), np.random.default_rng(3).normal(size=ITEMS + 1)
    scores = asked @ items.T + bias.astype(np.float32)
    kept, seen = scores.copy(), [np.array([1, 2])] * BATCH
    same(top_k(asked, items, 9, seen, bias=bias, block=30), oracle(scores, 9, seen))
    top_scores(scores, 9, seen)
    assert (scores == kept).all()


def test_the_padding_is_never_given_and_no_query_gives_nothing():
    scores = np.array([[9.0, 1.0, 2.0]])
    assert top_scores(scores, 2)[0].tolist() == [[2, 1]]
    assert top_scores(scores[:0], 2)[0].shape == (0, 2)
    assert Blocks(table()).top_k(queries()[:0], 3)[0].shape == (0, 3)


def test_a_table_on_disk_is_read_by_blocks(tmp_path):
    np.save(tmp_path / "table.npy", table().astype(np.float16))
    mapped = np.load(tmp_path / "table.npy", mmap_mode="r")
    found = Blocks(mapped, block=20).top_k(queries(), 5)
    assert found[0].tolist() == top_k(queries(), np.asarray(mapped, np.float32), 5)[0].tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 204}, "k must be at most the 203 items of the catalogue, got 204"),
        ({"k": 0}, "k must be a whole number of at least 1"),
        ({"queries": np.zeros((2, 5))}, r"queries must be \[batch, 6\]"),
        ({"queries": np.full((2, 6), np.nan)}, "queries must be finite"),
        ({"excluded": [np.array([1])]}, "excluded must be one for each of the 5 queries, got 1"),
        ({"allowed": np.array([0, 1])}, "allowed must be at least one number from 1 to 203"),
        ({"allowed": np.array([], int)}, "allowed must be at least one"),
        ({"allowed": np.array([1.5])}, "allowed must be at least one"),
        ({"table": np.full((5, 6), np.inf)}, "table must be finite"),
        ({"table": np.zeros(6)}, "table must be"),
        ({"bias": np.zeros(3)}, r"bias must be \[204\]"),
        ({"bias": np.full(204, np.nan)}, "bias must be finite"),
        ({"block": 0}, "block must be a whole number"),
    ],
)
def test_what_cannot_work_is_refused(change, words):
    with pytest.raises(ZooValueError, match=words):
        top_k(**{"queries": queries(), "table": table(), "k": 3, **change})


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ZooValueError, match="NaN"):
        top_scores(np.array([[0.0, np.nan, 1.0]]), 1)
    with pytest.raises(ZooValueError, match="must be"):
        top_scores(np.zeros(4), 1)
    assert top_scores(np.array([[np.nan, 0.0, 1.0]]), 1)[0].tolist() == [[2]]


def test_of_equal_scores_no_more_than_k_are_sorted_in():
    marked = _largest(np.array([[1, 1, 0, 1, 1], [0, 2, 1, 1, 1], [3, 2, 1, 0, 0]], np.float32), 3)
    assert marked.tolist() == [[1, 1, 0, 1, 0], [0, 1, 1, 1, 0], [1, 1, 1, 0, 0]]


def test_faiss_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ZooImportError, match=r"attention-zoo\[retrieval\]"):
        FaissIndex(table())
    with pytest.raises(ZooValueError, match="kind 'flatt' is unknown; the nearest names are 'flat'"):
        FaissIndex(table(), "flatt")


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_faiss_finds_what_blocks_find(kind):
    pytest.importorskip("faiss")
    items, asked = table(), np.random.default_rng(4).normal(size=(BATCH, WIDTH)).astype(np.float32)
    bias = np.random.default_rng(3).normal(size=ITEMS + 1).astype(np.float32)
    seen = [np.arange(1, 1 + size) for size in (0, 5, 40, 100, 3)]
    allowed = np.arange(2, ITEMS, 3)
    for given in (None, bias):
        index, exact = FaissIndex(items, kind, given), Blocks(items, given)
        same(index.top_k(asked, 7), exact.top_k(asked, 7))
        same(index.top_k(asked, 7, seen), exact.top_k(asked, 7, seen))
        same(index.top_k(asked, 7, seen, allowed), exact.top_k(asked, 7, seen, allowed))
    with pytest.raises(ZooValueError, match="k must be at most"):
        FaissIndex(items, kind).top_k(asked, ITEMS + 1)
    with pytest.raises(ZooValueError, match="queries must be finite"):
        FaissIndex(items, kind).top_k(asked[:, :2], 3)
