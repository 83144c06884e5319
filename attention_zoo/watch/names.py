"""Names of statistics: the same in graphs, files, findings and pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

PREFIX = "statistics."  # of the outputs that carry them
BINS = 8  # of the profile of distances

# Of maps that mix positions; what each means, and its range, stands in `calibrate.statistics`.
MIX = (
    "entropy",
    "peak",
    "top5",
    "sink",
    "distance",
    "offset",
    "diagonality",
    "before",
    "own",
    "after",
    "coverage",
    "agreement",
    "rank",
    "mass",
    *(f"profile_{number}" for number in range(BINS)),
)
AGREEMENT = "agreement"  # the one statistic of a head that depends on the other heads
# Of gates, which scale each value by a weight of its own.
GATE = ("mean", "spread", "closed", "open")


def names_of(values: Any) -> tuple[str, ...]:
    """Return the names of the statistics of a site, by how many there are.

    Args:
        values: [..., statistics].
    """
    return MIX if np.shape(values)[-1] == len(MIX) else GATE


def statistics_in(outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the statistics among the outputs of a model or of a graph, by site: [examples, heads, statistics].

    Args:
        outputs: by name, as `calibrate.probe(model).predict` or a runner's `run` gives them.
    """
    found = {name: value for name, value in outputs.items() if name.startswith(PREFIX)}
    return {name.removeprefix(PREFIX): np.asarray(value, np.float32) for name, value in found.items()}
