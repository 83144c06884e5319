"""Which backend is taken where nobody chose one."""

import json
import subprocess
import sys

import pytest

from attention_zoo import backends

pytestmark = pytest.mark.once


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Stand for a machine with some backends, with or without Keras's configuration file."""

    def with_backends(names, configured=None):
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delitem(sys.modules, "keras", raising=False)
        monkeypatch.setattr(backends, "installed", lambda: [name for name in backends.NAMES if name in names])
        if configured is not None:
            (tmp_path / "keras.json").write_text(configured, encoding="utf-8")

    return with_backends


@pytest.mark.parametrize(
    ("names", "configured", "chosen"),
    [
        (["tensorflow", "torch"], None, None),
        (["jax", "torch"], None, "jax"),
        (["torch"], None, "torch"),
        (["torch"], json.dumps({"backend": "tensorflow"}), "torch"),
        (["jax", "torch"], json.dumps({"backend": "torch"}), None),
        (["torch"], "no json", "torch"),
        ([], None, None),
    ],
)
def test_the_first_installed_backend_is_taken_where_keras_would_fail(machine, monkeypatch, names, configured, chosen):
    machine(names, configured)
    assert backends.choose() == chosen


def test_the_users_choice_stands(machine, monkeypatch):
    machine(["torch"])
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert backends.choose() is None


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "attention_zoo.cli", "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.strip()
