"""Split rows so that each part has the labels in the same proportions."""

from collections import Counter

import numpy as np

from attention_zoo.data.dataset import Split
from attention_zoo.errors import ZooValueError


def hold_out(split: Split, share: float, seed: int = 0) -> tuple[Split, Split]:
    """Hold out a share of the rows, the same share of each label (within one row) where there are labels.

    Every label keeps at least one row in the rest: a label with a single row is never held out. A row with several
    labels counts for the rarest of them.

    Args:
        split: rows, perhaps with a column "label".
        share: part of the rows to hold out, between 0 and 1, both excluded.
        seed: of the draw.

    Returns:
        (rest, held), each in the order of `split`.

    Raises:
        ZooValueError: if `share` is not between 0 and 1, or nothing would be held out.
    """
    if not 0 < share < 1:
        raise ZooValueError(f"share must be between 0 and 1 (part of the rows to hold out), got {share!r}")
    groups = [rows for rows in _rows_by_label(split, seed) if len(rows) > 1]
    # Every 1/share-th row of the rows in order of their labels: exact in total, within one row for each label.
    order = [row for rows in groups for row in rows]
    offset = np.random.default_rng(seed).uniform()
    chosen = np.floor(np.arange(1, len(order) + 1) * share + offset) > np.floor(np.arange(len(order)) * share + offset)
    held = {row for row, take in zip(order, chosen) if take}
    held -= {rows[0] for rows in groups if held.issuperset(rows)}
    if not held:
        raise ZooValueError(f"share {share} of {len(split)} rows holds out nothing; give more rows or a larger share")
    return split.rows(row for row in range(len(split)) if row not in held), split.rows(sorted(held))


def k_folds(split: Split, folds: int, seed: int = 0) -> list[tuple[Split, Split]]:
    """Split rows into `folds` parts for cross-validation, each label (if any) spread evenly (within one row).

    Args:
        split: rows, perhaps with a column "label"; a row with several labels counts for the rarest of them.
        folds: number of parts, at least 2 and at most the number of rows.
        seed: of the draw.

    Returns:
        `folds` pairs (train, held out); every row is held out once.

    Raises:
        ZooValueError: if `folds` is out of range.
    """
    if not isinstance(folds, int | np.integer) or not 2 <= folds <= len(split):
        raise ZooValueError(f"folds must be a whole number from 2 to the {len(split)} rows, got {folds!r}")
    # Dealt like cards, label after label, going on where the label before stopped: parts differ by one row at most.
    order = [row for rows in _rows_by_label(split, seed) for row in rows]
    fold_of = np.empty(len(split), dtype=np.int64)
    fold_of[order] = np.arange(len(order)) % folds
    return [
        (split.rows(np.flatnonzero(fold_of != fold).tolist()), split.rows(np.flatnonzero(fold_of == fold).tolist()))
        for fold in range(folds)
    ]


def _rows_by_label(split: Split, seed: int) -> list[list[int]]:
    """Return the row numbers of each label (in order of the label), shuffled within it; without labels, of all."""
    given = split["label"] if "label" in split.columns else [""] * len(split)
    labels = [(label,) if isinstance(label, str) else tuple(label) for label in given]
    count = Counter(name for names in labels for name in names)
    rows: dict[str, list[int]] = {}
    for row, names in enumerate(labels):
        rarest = min(names, key=lambda name: (count[name], name), default="")
        rows.setdefault(rarest, []).append(row)
    generator = np.random.default_rng(seed)
    return [generator.permutation(rows[label]).tolist() for label in sorted(rows)]
