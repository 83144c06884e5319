"""Run the whole conformance suite on every backend, costly checks too, and write the support matrix.

    python benchmarks/matrix.py [--backends tensorflow,jax,torch] [--jobs 2] [--keep build/matrix.json] [CASE ...]

The cheap checks run for every case on every backend, shared out to `--jobs` processes. The costly ones run for every
variant, not for every case of its options: the exports (check 13) of all go through one child process, the agreement of
the backends (check 14) through one process for each other backend. Both start from the first backend, because the files
that they read are the same from any. Writes docs/support_matrix.md and attention_zoo/layers/support.json, unless cases
are named; the exit code is 1 if a check failed.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from compiling import ENVIRONMENT  # noqa: E402

COSTLY = (13, 14)


def cases(names: list[str]) -> list:
    """Return the cases of the tests, all or those named."""
    sys.path.insert(0, str(ROOT / "tests" / "layers"))
    known = importlib.import_module("cases").BY_NAME
    return [known[name] for name in names or known]


def part(names: list[str], checks: str, share: tuple[int, int], path: Path) -> None:
    """In a process of its own: check the cases of this share and write their results."""
    from attention_zoo.testing import check_many, write_reports

    mine = cases(names)[share[0] :: share[1]]
    start = time.monotonic()
    if checks == "cheap":
        reports = []
        for index, case in enumerate(mine):
            reports += check_many([case], checks)
            if index % 20 == 19 and "jax" in sys.modules:
                # It keeps every program that it compiled, and no other layer needs them.
                sys.modules["jax"].clear_caches()
    else:
        from attention_zoo.layers import names as variants

        mine = [case for case in mine if names or case.name in variants()]
        reports = check_many(mine, [int(number) for number in checks.split(",")])
    write_reports(reports, path, seconds=time.monotonic() - start)


def jobs(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """List what is to be run: (backend, checks, share). The longest first, so that no core waits at the end."""
    first, *_ = options.backends
    found = [(first, str(number), "0/1") for number in COSTLY]
    shares = [f"{index}/{options.jobs}" for index in range(options.jobs)]
    return found + [(backend, "cheap", share) for backend in options.backends for share in shares]


def run(job: tuple[str, str, str], names: list[str], folder: Path) -> dict:
    """Run one job in a process of its own and return what it wrote."""
    backend, checks, share = job
    path = folder / f"{backend}-{checks}-{share.replace('/', '-')}.json"
    threads = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    environment = {**os.environ, **threads, **ENVIRONMENT, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__)), "--part", checks, "--share", share, "--keep", str(path), *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{backend}, checks {checks}, share {share} ended with {done.returncode}:\n{done.stderr[-4000:]}"
        )
    found = json.loads(path.read_text(encoding="utf-8"))
    print(f"{backend:10}  checks {checks:5}  share {share}  {found['seconds']:6.0f} s", flush=True)
    return found


def joined(found: list[dict]) -> list[dict]:
    """Put the results of one case on one backend together, in the order of the checks."""
    reports: dict[tuple[str, str], dict] = {}
    for piece in found:
        for report in piece["reports"]:
            key = (report["case"], report["backend"])
            reports.setdefault(key, {**report, "results": []})["results"] += report["results"]
    for report in reports.values():
        report["results"].sort(key=lambda result: result["number"])
    return list(reports.values())


def summary(reports: list[dict]) -> int:
    """Print the counts of each backend and every failure; return how many there are."""
    failures = 0
    for backend in dict.fromkeys(report["backend"] for report in reports):
        mine = [report for report in reports if report["backend"] == backend]
        counts: dict[str, int] = {}
        for report in mine:
            for result in report["results"]:
                counts[result["status"]] = counts.get(result["status"], 0) + 1
                if result["status"] == "failed":
                    check = f"check {result['number']} ({result['name']})"
                    print(f"FAILED {backend}: {report['case']}: {check} {result['reason']}")
        failures += counts.get("failed", 0)
        told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        print(f"{backend:10}  {len(mine)} cases, {sum(counts.values())} checks: {told}")
    return failures


def main() -> int:
    """Check, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="cases; all unless told")
    parser.add_argument("--backends", type=lambda text: text.split(","), default=["tensorflow", "jax", "torch"])
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--keep", type=Path, help="also write everything that was measured into this JSON file")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--share", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        index, count = options.share.split("/")
        part(options.names, options.part, (int(index), int(count)), options.keep)
        return 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda job: run(job, options.names, Path(folder)), jobs(options)))
    reports = joined(found)
    failures = summary(reports)
    seconds = time.monotonic() - start
    print(f"all in {seconds:.0f} s")
    if options.keep:
        options.keep.parent.mkdir(parents=True, exist_ok=True)
        options.keep.write_text(json.dumps({"seconds": seconds, "reports": reports}) + "\n", encoding="utf-8")
    if not options.names:
        import pages

        pages.write_support(reports, seconds)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
