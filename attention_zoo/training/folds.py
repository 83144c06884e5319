"""k-fold cross-validation: every example judged once by a model that never saw it."""

from collections.abc import Callable, Sequence

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.training.seeds import check_seed


def _strata(labels: Sequence) -> np.ndarray:
    """Return one group per example: its label, or the rarest of its labels where `labels` is a table of 0 and 1."""
    array = np.asarray(labels)
    if array.ndim == 1:
        return np.unique(array, return_inverse=True)[1]
    if array.ndim != 2:
        raise ZooValueError(f"labels must be [examples] or [examples, labels], got shape {array.shape}")
    counts = array.sum(axis=0)
    rarity = np.where(array > 0, counts, np.inf)
    return np.where(array.any(axis=1), rarity.argmin(axis=1), array.shape[1])


def fold_indices(labels: Sequence, folds: int = 5, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split examples into `folds` parts that hold every label in its share.

    Args:
        labels: one label per example (names or numbers), or 0 and 1 [examples, labels] (split by the rarest label).
        folds: how many parts, 2 to the number of examples.
        seed: of the mixing.

    Returns: for each part (numbers of the examples to train on, numbers of the part itself), both sorted.

    Raises:
        ZooValueError: if there are fewer examples than folds, or fewer than two folds.
    """
    groups = _strata(labels)
    if not 2 <= folds <= len(groups):
        raise ZooValueError(f"folds must be from 2 to the number of examples ({len(groups)}), got {folds}")
    random = np.random.default_rng(check_seed(seed))
    mixed = random.permutation(len(groups))
    mixed = mixed[np.argsort(groups[mixed], kind="stable")]
    part = np.empty(len(groups), dtype="int64")
    part[mixed] = np.arange(len(groups)) % folds  # dealt out like cards, one label after the other
    return [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(folds)]


def cross_validate(
    build: Callable[[np.ndarray, np.ndarray, int], dict[str, float]], labels: Sequence, folds: int = 5, seed: int = 0
) -> dict[str, dict[str, float] | list[dict[str, float]]]:
    """Train and judge once per fold.

    Args:
        build: `build(train_numbers, validation_numbers, fold) -> {measure: value}`; makes a new model, trains it on the
            first and judges it on the second.
        labels, folds, seed: as in `fold_indices`.

    Returns: "folds" (what `build` returned, in order), "mean" and "deviation" (sample standard deviation) of every
        measure that is a number in all folds.

    Raises:
        ZooValueError: see `fold_indices`.
    """
    results = [build(train, held_out, fold) for fold, (train, held_out) in enumerate(fold_indices(labels, folds, seed))]
    shared = [name for name in results[0] if all(isinstance(r.get(name), (int, float)) for r in results)]
    values = {name: np.array([result[name] for result in results], dtype="float64") for name in shared}
    return {
        "folds": results,
        "mean": {name: float(column.mean()) for name, column in values.items()},
        "deviation": {name: float(column.std(ddof=1)) for name, column in values.items()},
    }
