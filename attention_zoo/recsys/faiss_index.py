"""Search by faiss, where it is installed (extra `retrieval`): exact, or approximate by a graph of neighbours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attention_zoo.errors import ZooValueError, need, unknown
from attention_zoo.recsys.retrieval import Found, as_numbers, check_k

KINDS = ("flat", "hnsw")
LINKS, BUILDING, SEARCHING = 32, 80, 128  # of HNSW: links of an item, candidates while it is built and searched


class FaissIndex:
    """A table of items in a faiss index, searched by the inner product; `top_k` as that of `Blocks`.

    Args:
        table: float [items + 1, width], by number; faiss keeps a copy.
        kind: "flat" is exact; "hnsw" is approximate, takes longer to build and is faster among very many items.
        bias: float [items + 1]; None is 0 for each.

    Raises:
        ZooImportError: if faiss is not installed.
        ZooValueError: if a shape or a number cannot work, or the kind is unknown.
    """

    def __init__(self, table: np.ndarray, kind: str = "flat", bias: np.ndarray | None = None):
        if kind not in KINDS:
            raise unknown("kind", kind, KINDS)
        if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
            raise ZooValueError(f"table must be finite [items + 1, width], got {list(table.shape)}")
        if bias is not None and bias.shape != (len(table),):
            raise ZooValueError(f"bias must be [{len(table):,}], got {list(bias.shape)}")
        self._faiss = faiss = need("faiss", "retrieval")
        # A bias is one more number of each item, met by a 1 in the query.
        rows = table[1:] if bias is None else np.concatenate([table[1:], bias[1:, None]], axis=1)
        self.items, self.width, self._is_biased = len(rows), table.shape[1], bias is not None
        self.kind = kind
        if kind == "flat":
            self._index = faiss.IndexFlatIP(rows.shape[1])
        else:
            self._index = faiss.IndexHNSWFlat(rows.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efConstruction = BUILDING
        self._index.add(np.ascontiguousarray(rows, np.float32))

    def top_k(
        self,
        queries: np.ndarray,
        k: int = 10,
        excluded: Sequence[np.ndarray] | None = None,
        allowed: np.ndarray | None = None,
    ) -> Found:
        """Return the best k items of each query; arguments and answers as of `Blocks.top_k`.

        More are searched for than wanted, by the longest of `excluded`. An approximate index may find fewer.
        """
        queries = np.asarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.width or not np.isfinite(queries).all():
            raise ZooValueError(f"queries must be finite [batch, {self.width}], got {list(queries.shape)}")
        check_k(k, self.items)
        if excluded is not None and len(excluded) != len(queries):
            raise ZooValueError(f"excluded must be one for each of the {len(queries)} queries, got {len(excluded)}")
        if self._is_biased:
            queries = np.concatenate([queries, np.ones((len(queries), 1), np.float32)], axis=1)
        more = max((len(each) for each in excluded), default=0) if excluded is not None else 0
        wanted = min(k + more, self.items)
        scores, places = self._index.search(
            np.ascontiguousarray(queries), wanted, params=self._parameters(allowed, wanted)
        )
        return _kept((places + 1).astype(np.int32), scores, k, excluded)

    def _parameters(self, allowed: np.ndarray | None, wanted: int) -> Any:
        faiss = self._faiss
        given = {}
        if allowed is not None:
            given["sel"] = faiss.IDSelectorBatch(as_numbers(allowed, self.items) - 1)
        if self.kind == "hnsw":
            return faiss.SearchParametersHNSW(efSearch=max(SEARCHING, wanted), **given)
        return faiss.SearchParameters(**given) if given else None


def _kept(
    numbers: np.ndarray, scores: np.ndarray, k: int, excluded: Sequence[np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out what is excluded and what faiss did not find (0), and put the lower number first among equals."""
    lost = numbers <= 0
    for row, seen in enumerate(excluded or ()):
        lost[row] |= np.isin(numbers[row], seen)
    scores = np.where(lost, -np.inf, scores).astype(np.float32)
    numbers = np.where(lost, 0, numbers)
    order = np.lexsort((numbers, -scores), axis=1)[:, :k]
    return np.take_along_axis(numbers, order, axis=1), np.take_along_axis(scores, order, axis=1)
