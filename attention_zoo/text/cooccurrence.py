"""Vectors of tokens from the company they keep: a start for embeddings where the training texts are few."""

from collections.abc import Sequence

import numpy as np

from attention_zoo.errors import ZooValueError

DENSE = 512  # used tokens up to which the whole decomposition is computed


def cooccurrence_vectors(
    rows: Sequence[np.ndarray], vocabulary_size: int, width: int, reach: int = 4, power: float = 0.75
) -> np.ndarray:
    """Return a vector for each token whose products tell which tokens stand near each other.

    M[i, j] = sum of 1 / distance over all places where i and j are at most `reach` apart
    P[i, j] = max(0, log(p(i, j) / (p(i) p(j)^power / Z)))     (positive pointwise mutual information)
    vectors = U sqrt(S) of the `width` largest singular values of P, scaled to a standard deviation of 1

    The same rows give the same vectors.

    Args:
        rows: token ids [tokens] each, without padding.
        vocabulary_size: number of different ids.
        width: channels of a vector; where the vocabulary has fewer singular values, the rest is 0.
        reach: how far apart two tokens may be (tokens), at least 1.
        power: smooths the frequency of the second token, 0 to 1; below 1 rare tokens count less.

    Returns:
        float32 [vocabulary_size, width]; rows of tokens that have no neighbours are 0.

    Raises:
        ZooValueError: if a number is out of range or no two tokens ever stand together.

    Cost: time and memory of the pairs, tokens x reach, and a sparse singular value decomposition.
    Source: Levy, Goldberg, Dagan 2015, Improving Distributional Similarity, TACL 3, sections 2 and 3.
    """
    from scipy.sparse import coo_matrix

    for name, value in {"vocabulary_size": vocabulary_size, "width": width, "reach": reach}.items():
        if value < 1:
            raise ZooValueError(f"{name} must be at least 1, got {value}")
    if not 0 <= power <= 1:
        raise ZooValueError(f"power must be from 0 to 1, got {power}")
    first, second, weight = _pairs(rows, reach)
    if not len(first):
        raise ZooValueError("rows must hold at least two tokens that stand together, got none")
    square = (vocabulary_size, vocabulary_size)
    counts = coo_matrix((weight, (first, second)), shape=square).tocsr()
    counts = (counts + counts.T).tocoo()
    share = np.bincount(counts.row, counts.data, vocabulary_size)
    total, context = share.sum(), share**power
    context /= context.sum()
    information = np.log(counts.data / (share[counts.row] * context[counts.col]))
    kept = information > 0
    entries = (information[kept], (counts.row[kept], counts.col[kept]))
    vectors = _leading(coo_matrix(entries, shape=square).tocsr(), width)
    used = np.abs(vectors).sum(axis=1) > 0
    spread = float(vectors[used].std()) if used.any() else 0.0
    return (vectors / (spread or 1.0)).astype(np.float32) if total else vectors.astype(np.float32)


def _pairs(rows: Sequence[np.ndarray], reach: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List all pairs of ids at most `reach` apart within a row, with 1 / distance."""
    ids = np.concatenate([np.asarray(row) for row in rows]) if len(rows) else np.zeros(0, np.int64)
    row_of = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    first, second, weight = [], [], []
    for distance in range(1, reach + 1):
        together = np.flatnonzero(row_of[:-distance] == row_of[distance:])
        first.append(ids[together])
        second.append(ids[together + distance])
        weight.append(np.full(len(together), 1.0 / distance))
    return np.concatenate(first), np.concatenate(second), np.concatenate(weight)


def _leading(matrix, width: int) -> np.ndarray:
    """Return U sqrt(S) of the largest singular values, float64 [rows, width], always with the same signs."""
    from scipy.sparse.linalg import svds

    size, count = matrix.shape[0], min(width, matrix.shape[0] - 1)
    used = np.flatnonzero(matrix.getnnz(axis=0) + matrix.getnnz(axis=1))
    vectors, matrix = np.zeros((size, width)), matrix[used][:, used]
    if not len(used):
        return vectors
    if len(used) <= max(DENSE, 2 * count):
        # Where there are hardly more rows than values, the sparse method draws new starts by chance.
        left, values, _ = np.linalg.svd(matrix.toarray())
    else:
        left, values, _ = svds(matrix, k=count, v0=np.random.default_rng(0).normal(size=len(used)))
    order = np.argsort(-values, kind="stable")[:count]
    left, values = left[:, order], values[order]
    left *= np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
    vectors[used, : left.shape[1]] = left * np.sqrt(np.maximum(values, 0.0))
    vectors[np.abs(vectors).max(axis=1) < 1e-9] = 0.0
    return vectors
