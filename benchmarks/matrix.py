"""Run the whole conformance suite, the costly checks too, on this backend and write what was measured.

    KERAS_BACKEND=jax python benchmarks/matrix.py results/matrix.json

One backend a run; a file that is there already keeps the reports of the other backends.
"""

import importlib
import json
import platform
import sys
from pathlib import Path

import keras

from attention_zoo.testing import Report, check_many, write_reports
from attention_zoo.testing.report import CheckResult

ROOT = Path(__file__).resolve().parent.parent


def earlier(path: Path, backend: str) -> list[Report]:
    """Return the reports of the other backends that lie in `path`."""
    if not path.exists():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))["reports"]
    kept = [row for row in rows if row["backend"] != backend]
    return [Report(row["case"], row["backend"], [CheckResult(**result) for result in row["results"]]) for row in kept]


def main(path: Path, checks: str = "all") -> int:
    """Check every case; return the number of failures."""
    sys.path.insert(0, str(ROOT / "tests" / "layers"))
    cases = importlib.import_module("cases").CASES
    reports = check_many(cases, checks)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"keras": keras.__version__, "python": platform.python_version(), "machine": platform.machine()}
    write_reports([*earlier(path, keras.backend.backend()), *reports], path, **about)
    for report in reports:
        for result in report.failures:
            print(f"{report.case}: check {result.number} ({result.name}) {result.reason}")
    return sum(len(report.failures) for report in reports)


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1]), *sys.argv[2:]), 1))
