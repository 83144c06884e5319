"""What is wrong with a head, in a word and in a sentence."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# What a person is told of each kind.
MEANINGS = {
    "nan": "gives no numbers any more",
    "dead head": "passes nothing on",
    "sink": "looks at the first position alone",
    "collapsed": "looks at almost one position alone",
    "uniform": "looks everywhere alike",
    "shifted": "looks elsewhere than usual",
    "drift": "spreads its looks otherwise over near and far",
    "unusual": "is unlike normal",
}
KINDS = tuple(MEANINGS)
# Statistics whose rise (+1) or fall (-1), or move to either side (0), speaks for a kind; in the order in which kinds go
# before each other where several are spoken for.
SIGNS: dict[str, dict[str, int]] = {
    "sink": {"sink": 1},
    "collapsed": {"entropy": -1, "peak": 1},
    "uniform": {"entropy": 1, "peak": -1, "top5": -1},
    "shifted": {"offset": 0, "distance": 0, "before": 0, "own": 0, "after": 0},
    "drift": {f"profile_{number}": 0 for number in range(8)},
}
DEAD = {"mass": 0.05, "mean": 0.02}  # a mean under this is nothing
CLOSED = 0.98  # a share of closed values over this is all
FAR = 3.0  # normal spreads from normal under which a statistic does not speak
NEAR = 0.25  # of the farthest distance, or of the largest change: a statistic this far out still speaks
ALONE = 0.99  # a largest weight over this is all there is
PEAKED = 0.8  # share of the largest weight that the first key must have for it to be a sink


@dataclass(frozen=True)
class Finding:
    """Say what is wrong with one head.

    Args:
        kind: one of `KINDS`.
        site: path of the layer.
        head: its number, from 0.
        score: of the head; over the detector's threshold, or infinite for NaN.
        statistic: the one that says it most.
        value: its mean over the window; NaN where it is none.
        low: lower end of what is normal.
        high: upper end of what is normal.
    """

    kind: str
    site: str
    head: int
    score: float
    statistic: str
    value: float
    low: float
    high: float

    def sentence(self) -> str:
        """Return it for a person."""
        value = "not a number" if math.isnan(self.value) else f"{self.value:.3g}"
        return (
            f"{self.site}, head {self.head}, {MEANINGS[self.kind]} ({self.kind}): {self.statistic} is {value}, "
            f"normal is {self.low:.3g} to {self.high:.3g}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, the sentence with it; None where a number is not finite."""
        return {**finite(asdict(self)), "sentence": self.sentence()}


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put None in place of numbers that JSON cannot hold."""
    broken = {name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)}
    return {name: None if name in broken else value for name, value in values.items()}


def classify(
    values: Mapping[str, float], changes: Mapping[str, float], distances: Mapping[str, float], poisoned: set[str]
) -> tuple[str, str]:
    """Return the kind of a finding and the statistic that says it.

    Those statistics of the head speak that are at least 3 normal spreads from normal, and at least a quarter as far as
    the farthest, in spreads or as they stand: a statistic that hardly ever varies is soon many spreads away, one that
    always does may have changed more. The first of these that holds decides:

    1. dead head: the mass of its weights, or the mean of a gate, is near 0 (or nearly all of the gate is closed) and
       far under normal.
    2. nan: a statistic is NaN where it never was, and not because all weight is on one key (then entropy has no value).
    3. sink: the weight of the first key speaks, upwards, and is most of the largest weight, which has not fallen.
    4. collapsed: entropy speaks downwards, or the largest weight upwards.
    5. uniform: entropy speaks upwards, or the largest weight or the five largest downwards.
    6. shifted: offset or distance speaks, or the weight of the query's own key or of a key next to it.
    7. drift: a bin of the profile speaks.
    8. unusual: none of these; the statistic that is farthest out is named.

    Args:
        values: means over the window, by statistic.
        changes: the same minus what is normal.
        distances: changes in normal spreads.
        poisoned: statistics that are NaN where that is not normal.
    """
    dead = _dead(values, distances)
    if dead is not None:
        return "dead head", dead
    if poisoned and not values.get("peak", 0.0) > ALONE:
        return "nan", next(name for name in distances if name in poisoned)
    farthest = max(distances, key=lambda name: abs(distances[name]))
    speaking = _speaking(changes, distances)
    for kind, signs in SIGNS.items():
        told = [name for name, sign in signs.items() if name in speaking and sign * distances[name] >= 0]
        if told and (kind != "sink" or (values["sink"] >= PEAKED * values["peak"] and changes["peak"] >= 0)):
            return kind, max(told, key=lambda name: abs(changes[name]))
    return "unusual", farthest


def _speaking(changes: Mapping[str, float], distances: Mapping[str, float]) -> set[str]:
    far = max(map(abs, distances.values()))
    large = max((abs(changes[name]) for name in changes if abs(distances[name]) >= FAR), default=0.0)
    return {
        name
        for name, distance in distances.items()
        if abs(distance) >= FAR and (abs(distance) >= NEAR * far or abs(changes[name]) >= NEAR * large)
    }


def _dead(values: Mapping[str, float], distances: Mapping[str, float]) -> str | None:
    for name, least in DEAD.items():
        if name in values and values[name] < least and distances[name] < -FAR:
            return name
    if values.get("closed", 0.0) > CLOSED and distances["closed"] > FAR:
        return "closed"
    return None


def as_named(names: tuple[str, ...], row: np.ndarray) -> dict[str, float]:
    """Return the numbers of a head by statistic."""
    return dict(zip(names, map(float, row)))
