"""What is installed, what works, and what to install for the rest."""

import functools
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attention_zoo.cli import screen

NAME = "attention-zoo"
PROJECT = Path(__file__).parents[2] / "pyproject.toml"
TIME_LIMIT = 120  # seconds for one backend, most of it its import
NOT_REPORTED = ("dev", "all")


def version_of(distribution: str) -> str | None:
    """Return the installed version of a distribution, None when it is not installed.

    Args:
        distribution: its name on the package index; another one that brings the module of this name counts too
            (tensorflow-cpu for tensorflow).
    """
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        if distribution == NAME:
            return _project().get("version")
    others = _modules().get(distribution.replace("-", "_"))
    return importlib.metadata.version(others[0]) if others else None


@functools.cache
def _modules() -> Mapping[str, list[str]]:
    """Return module to distributions; it reads the metadata of all that is installed, so once is enough."""
    return importlib.metadata.packages_distributions()


def _project() -> dict[str, Any]:
    """Return the table `project` of a checkout that was never installed."""
    return tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"] if PROJECT.is_file() else {}


def requirements() -> dict[str, list[str]]:
    """Return extra to names of its distributions; the extra "" is what is always needed."""
    try:
        lines = importlib.metadata.requires(NAME) or []
    except importlib.metadata.PackageNotFoundError:
        project = _project()
        extras = project.get("optional-dependencies", {})
        lines = list(project.get("dependencies", []))
        lines += [f"{line}; extra == '{extra}'" for extra, wanted in extras.items() for line in wanted]
    found: dict[str, list[str]] = {}
    for line in lines:
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", line)
        found.setdefault(extra[1] if extra else "", []).append(re.match(r"[\w.-]+", line)[0])
    return found


def examine() -> dict[str, Any]:
    """Return versions, backends (each tried in a child process) and extras, ready for JSON."""
    from attention_zoo import backends
    from attention_zoo.catalogue import list_models
    from attention_zoo.presets import shelf

    wanted = requirements()
    extras = {name: {one: version_of(one) for one in names} for name, names in wanted.items()}
    core = extras.pop("", {})
    found = {}
    with screen.progress("trying the backends", len(backends.NAMES)) as advance:
        for name in backends.NAMES:
            found[name] = _try(name) if name in backends.installed() else {"version": None, "works": False}
            advance(1)
    return {
        "version": version_of(NAME),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": core,
        "backends": found,
        "extras": {name: rows for name, rows in sorted(extras.items()) if name not in NOT_REPORTED},
        "models": len(list_models(trained=True)),
        "cache": str(shelf.cache()),
        "offline": shelf.offline(),
    }


def _try(backend: str) -> dict[str, Any]:
    """Run one attention on one backend, in a process of its own: Keras keeps its first backend for life."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "attention_zoo.cli.smoke"]
    # The child finds the package where this process found it, also in a checkout that was never installed.
    here = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (here, environment.get("PYTHONPATH"))))
    row: dict[str, Any] = {"version": version_of(backend), "works": False}
    try:
        child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return {**row, "error": f"no answer in {TIME_LIMIT} s"}
    if child.returncode:
        lines = child.stderr.strip().splitlines()
        return {**row, "error": lines[-1] if lines else f"exit code {child.returncode}"}
    return {**row, "works": True, **json.loads(child.stdout.strip().splitlines()[-1])}


def print_report(report: dict[str, Any]) -> None:
    """Print what `examine` found, for a person.

    Args:
        report: its answer.
    """
    print(f"attention-zoo {report['version']}, Python {report['python']}, {report['system']}")
    print("\nPACKAGES")
    screen.print_table([(name, version or "missing") for name, version in report["packages"].items()])
    print("\nBACKENDS")
    screen.print_table([(name, row["version"] or "-", _state(name, row)) for name, row in report["backends"].items()])
    print("\nEXTRAS")
    screen.print_table([(name, _extra(name, rows)) for name, rows in report["extras"].items()])
    print(f"\n{report['models']} pretrained models; cache: {report['cache']}{'; offline' if report['offline'] else ''}")


def _state(name: str, row: dict[str, Any]) -> str:
    if row["works"]:
        return f"works: {row['seconds']} s on {row['device']}"
    return f"fails: {row['error']}" if "error" in row else f"not installed; run: {_pip(name)}"


def _extra(name: str, rows: dict[str, str | None]) -> str:
    missing = [one for one, version in rows.items() if version is None]
    if missing:
        return f"lacks {', '.join(missing)}; run: {_pip(name)}"
    return "ready: " + ", ".join(f"{one} {version}" for one, version in rows.items())


def _pip(extra: str) -> str:
    return f"pip install '{NAME}[{extra}]'"
