"""Timing that can be trusted: warm-up, turns taken between the peers, medians, and what machine it was."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
BACKENDS = ("tensorflow", "jax", "torch")
EXPORTS = ("onnx", "savedmodel")


def machine() -> dict:
    """Describe the machine and the versions of what was measured."""
    packages = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "onnxruntime", "scikit-learn")
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d"),
    }


def compare(peers: dict[str, Callable[[], object]], seconds: float = 4.0, least: int = 7) -> dict[str, float]:
    """Time functions against each other, in turns, so that a busy moment of the machine hits all of them.

    Args:
        peers: functions by name, each called without arguments.
        seconds: time to spend on all together, after the warm-up.
        least: rounds at the least.

    Returns:
        Median seconds of a call, by name.
    """
    for function in peers.values():
        function()
        function()
    taken: dict[str, list[float]] = {name: [] for name in peers}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(taken.values()))) < least:
        # Backwards every second time: who runs first finds the memory as the last one left it.
        order = list(peers.items())[:: 1 if len(next(iter(taken.values()))) % 2 else -1]
        for name, function in order:
            start = time.perf_counter()
            function()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def memory(field: str) -> int:
    """Read a field of this process's memory, in KiB: VmRSS is now, VmHWM the peak (Linux, proc(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def forget_peak() -> None:
    """Let the peak of this process's memory start again from what it holds now (Linux, proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def record(name: str, section: str, rows: list[dict]) -> None:
    """Put `rows` under `section` (usually the backend) of results/<name>.json, beside what other runs put there."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known[section] = {"machine": machine(), "rows": rows}
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def in_child(script: str, *arguments: str) -> dict:
    """Run a script in a process of its own and return the JSON object in the last line that it prints."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def exported(preset: Path, work: Path) -> Path:
    """Export a preset as ONNX and SavedModel, in a process of its own; return the bundle's folder."""
    program = "import sys; from attention_zoo import load; load(sys.argv[1]).export(sys.argv[2])"
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-W", "ignore", "-c", program, str(preset), str(work / "out")]
    subprocess.run(command, env=environment, check=True)
    return work / "out"


def of_keras(folder: str) -> Any:
    """Load a preset on the backend of this process."""
    from attention_zoo import load

    return load(folder)


def of_onnx(folder: str) -> Any:
    """Load a bundle for onnxruntime."""
    from attention_zoo import runtime

    return runtime.load(folder)


def in_way(script: str, way: str, *arguments: object) -> None:
    """Run `script --answers WAY ARGUMENTS` in a process of its own, on the backend of that way (graphs: TensorFlow)."""
    environment = {**os.environ, "KERAS_BACKEND": way if way in BACKENDS else "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, script, "--answers", way, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr[-2000:]}")


def keep(name: str, rows: list[dict], keys: tuple[str, ...]) -> None:
    """Record rows about presets, beside those of other presets; rows that are alike in `keys` are replaced."""
    path = RESULTS / f"{name}.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = told.get("presets", {"rows": []})["rows"]
    measured = {tuple(row[key] for key in keys) for row in rows}
    record(name, "presets", [row for row in known if tuple(row[key] for key in keys) not in measured] + rows)


def table(rows: list[dict]) -> str:
    """Write rows as a plain table with the keys of the first row as head."""
    head = list(rows[0])
    cells = [[_short(row.get(key)) for key in head] for row in rows]
    widths = [max(len(key), *(len(line[i]) for line in cells)) for i, key in enumerate(head)]
    lines = ["  ".join(key.ljust(width) for key, width in zip(head, widths))]
    lines += ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in cells]
    return "\n".join(lines)


def _short(value: object) -> str:
    """Write a number with three significant digits and anything else as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
