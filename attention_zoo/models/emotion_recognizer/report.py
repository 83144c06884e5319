"""What an emotion recognizer does with each part of its modalities, over a whole split."""

from typing import Any

import numpy as np

from attention_zoo.data import Split
from attention_zoo.models.emotion_recognizer.examples import narrowed
from attention_zoo.models.emotion_recognizer.weighing import subsets
from attention_zoo.multimodal.rows import is_missing


def name_of(modalities: Any) -> str:
    """Return what a set of modalities is called: "image+audio"."""
    return "+".join(modalities)


def subset_measures(task: Any, split: Split, batch_size: int = 64) -> dict[str, dict[str, Any]]:
    """Judge a recognizer where it is shown a part of its modalities only, for each part of them.

    Args:
        task: a trained `EmotionRecognizer`.
        split: rows with labels.
        batch_size: rows run at once.

    Returns:
        By the names of the modalities ("audio", "image+audio" ...) the measures of `evaluate`, and "rows": how many
        rows have something to show. A part that no row has is left out.

    Cost: an evaluation for each set of modalities, at most 7.
    """
    found = {}
    for some in subsets(task.config.modalities)[1:]:
        names = [name for name in task.config.modalities if name in some]
        rows = [row for row in range(len(split)) if any(_has(split, name, row) for name in names)]
        if rows:
            part = narrowed(split.rows(rows), names)
            found[name_of(names)] = {**task.evaluate(part, batch_size=batch_size), "rows": len(rows)}
    return found


def _has(split: Split, modality: str, row: int) -> bool:
    return modality in split.columns and not is_missing(split[modality][row])


def mean_shares(task: Any, split: Split, batch_size: int = 64) -> dict[str, float]:
    """Return how much each modality weighs, in the mean over rows: the size of its Shapley value as a share of all.

    Args:
        task: a trained `EmotionRecognizer`.
        split: rows; labels are not looked at.
        batch_size: rows run at once.

    Cost: as `EmotionRecognizer.modality_weights`.
    """
    weights = task.modality_weights(split, batch_size=batch_size)
    return {name: float(np.mean([each.shares[name] for each in weights])) for name in task.config.modalities}
