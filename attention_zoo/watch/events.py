"""An alert or an all-clear."""

from dataclasses import dataclass
from typing import Any

from attention_zoo.watch.findings import Finding, finite

ALERT, CLEAR = "alert", "all-clear"


@dataclass(frozen=True)
class Event:
    """Tell that attention went wrong, that more heads did, or that it is normal again.

    Args:
        kind: "alert" or "all-clear".
        step: at which it was told.
        since: step of the first bad window; of an all-clear, of the first good one.
        since_time: when that was (seconds since 1970).
        time: when it was told (seconds since 1970).
        score: of the window.
        threshold: of the detector.
        findings: what is wrong; in a further alert the heads not told yet, in an all-clear none.
    """

    kind: str
    step: int
    since: int
    since_time: float
    time: float
    score: float
    threshold: float
    findings: tuple[Finding, ...]

    def sentence(self) -> str:
        """Return it for a person."""
        if self.kind == CLEAR:
            return f"attention is normal again since step {self.since}"
        told = "; ".join(one.sentence() for one in self.findings)
        return f"attention is not normal since step {self.since}: {told}"

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; None where a number is not finite."""
        told = {"kind": self.kind, "step": self.step, "since": self.since, "since_time": self.since_time}
        told |= {"time": self.time, "score": self.score, "threshold": self.threshold, "sentence": self.sentence()}
        return {**finite(told), "findings": [one.as_dict() for one in self.findings]}
