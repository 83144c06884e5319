"""What the checks found."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attention_zoo.errors import ZooError, ZooFileError


class AttentionCheckError(ZooError, AssertionError):
    """A layer does not keep what the conformance suite wants.

    Args:
        case: name of the case.
        number: of the check.
        name: of the check.
        wanted: what should be.
        got: what came.
    """

    def __init__(self, case: str, number: int, name: str, wanted: str, got: str):
        super().__init__(f"{case}: check {number} ({name}) wants {wanted}, got {got}")
        self.case, self.number, self.name, self.wanted, self.got = case, number, name, wanted, got


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    Args:
        number: of the check.
        name: of the check.
        status: "passed", "failed", "excused" or "not applicable".
        measured: what was measured, by name: mostly largest differences.
        reason: why it failed, is excused or does not apply.
    """

    number: int
    name: str
    status: str
    measured: dict[str, float] = field(default_factory=dict)
    reason: str = ""


@dataclass
class Report:
    """The outcome of all checks of one case on one backend.

    Args:
        case: name of the case.
        backend: that ran.
        results: in the order of the checks.
    """

    case: str
    backend: str
    results: list[CheckResult] = field(default_factory=list)

    @property
    def failures(self) -> list[CheckResult]:
        """The checks that failed."""
        return [result for result in self.results if result.status == "failed"]

    def __str__(self) -> str:
        lines = [f"{self.case} on {self.backend}"]
        for result in self.results:
            numbers = ", ".join(f"{name} {value:.3g}" for name, value in result.measured.items())
            detail = "; ".join(text for text in (numbers, result.reason) if text)
            lines.append(f"  {result.number:2d} {result.name}: {result.status}" + (f" ({detail})" if detail else ""))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return {"case": self.case, "backend": self.backend, "results": [vars(result) for result in self.results]}


def write_reports(reports: Iterable[Report], path: str | os.PathLike, **about: Any) -> None:
    """Write reports as JSON.

    Args:
        reports: of one or more backends.
        path: file to write; replaced whole or not at all.
        **about: plain values that are written beside them: machine, versions.

    Raises:
        ZooFileError: if the file cannot be written.
    """
    text = json.dumps({**about, "reports": [report.to_dict() for report in reports]}, indent=1)
    target = Path(path)
    temporary = target.with_name(target.name + ".part")
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ZooFileError(f"path must be a file that can be written, got {target}: {error.strerror}") from error
