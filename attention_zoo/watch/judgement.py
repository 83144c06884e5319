"""What a detector says of one window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attention_zoo.watch.columns import Columns
from attention_zoo.watch.findings import Finding, finite


@dataclass(frozen=True)
class Judgement:
    """Say whether a window is normal, and if not what is wrong where.

    Args:
        score: the largest of the heads in `heads`, or where there are none of all heads; infinite where a statistic is
            NaN that never was.
        threshold: over this it is an alarm.
        heads: numbers of the heads that are over it and to blame, by site; not those that only agree less with them.
        findings: one for each of these heads, the worst first.
        alarm: whether there is one.
        scores: of every head, by site. They grow with the distance from normal up to a bound.
        examples: of the window.
    """

    score: float
    threshold: float
    heads: dict[str, list[int]]
    findings: tuple[Finding, ...]
    alarm: bool
    scores: dict[str, list[float]]
    examples: int

    @classmethod
    def of(
        cls,
        columns: Columns,
        scores: np.ndarray,
        bad: np.ndarray,
        findings: Sequence[Finding],
        threshold: float,
        examples: int,
    ) -> "Judgement":
        """Put together what was found.

        Args:
            columns: which head is where.
            scores: of every head, [heads].
            bad: places of the heads that are to blame.
            findings: one for each of these.
            threshold: over this it is an alarm.
            examples: that were judged.
        """
        heads: dict[str, list[int]] = {}
        for place in bad:
            site, head = columns.heads[place]
            heads.setdefault(site, []).append(head)
        return cls(
            score=float((scores[bad] if len(bad) else scores).max()),
            threshold=threshold,
            heads=heads,
            findings=tuple(sorted(findings, key=lambda one: -one.score)),
            alarm=len(bad) > 0,
            scores=columns.by_site(scores.tolist()),
            examples=examples,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; None where a number is not finite."""
        told = {"score": self.score, "threshold": self.threshold, "alarm": self.alarm, "examples": self.examples}
        return {**finite(told), "heads": self.heads, "findings": [one.as_dict() for one in self.findings]}
