"""What each head is good for: how far answers move when it is switched off."""

from typing import Any

import keras
import numpy as np

from attention_zoo.answers import sigmoid, softmax
from attention_zoo.calibrate.reweight import reweight
from attention_zoo.calibrate.rules import HeadGateRule
from attention_zoo.errors import ZooValueError


def head_effects(
    model: keras.Model,
    arrays: Any,
    labels: Any = None,
    *,
    multi_label: bool = False,
    only: str = "*",
    example: Any = None,
) -> dict[str, np.ndarray]:
    """Switch heads off one after the other and see how far the probabilities of answers fall.

    effect[h] = mean over examples of p(label) - p(label without head h)

    Args:
        model: from arrays to logits [batch, labels].
        arrays: what it reads.
        labels: number of the label of each example [examples]; None takes the model's own best.
        multi_label: True where any number of labels may be true.
        only: a glob on sites.
        example: as of `reweight`.

    Returns:
        By site, float32 [heads]; of a gate, one number for all of it. Below 0 where answers were surer without it.

    Raises:
        ZooTypeError, ZooValueError: as `reweight`; if there is not one label for each example.

    Cost: one pass over the examples for each head.
    Source: Michel et al. 2019, arXiv:1905.10650, section 3.2.
    """
    changed = reweight(model, {only: HeadGateRule()}, example)
    to_chances = sigmoid if multi_label else softmax

    def chances() -> np.ndarray:
        return to_chances(np.asarray(changed.predict(arrays, verbose=0), np.float64))

    whole = chances()
    labels = whole.argmax(axis=1) if labels is None else np.asarray(labels)
    if labels.shape != whole.shape[:1]:
        raise ZooValueError(f"labels must be one for each of {len(whole)} examples, got {list(labels.shape)}")
    rows = np.arange(len(whole))
    found = {}
    for site, (one,) in changed.applied.items():
        effects = []
        for head in range(changed.known[site][1]):
            factors = np.ones((1, changed.known[site][1], 1, 1), np.float32)
            factors[:, head] = 0.0
            one.factor.assign(factors)
            effects.append(float(np.mean(whole[rows, labels] - chances()[rows, labels])))
        one.factor.assign(np.ones_like(factors))
        found[site] = np.asarray(effects, np.float32)
    return found
