"""Which backends are installed, and which one to take; the one place that knows them by name."""

import importlib.util
import json
import os
import sys
from pathlib import Path

NAMES = ("tensorflow", "jax", "torch")


def installed() -> list[str]:
    """List the backends that can be imported here, in Keras's own order."""
    return [name for name in NAMES if importlib.util.find_spec(name) is not None]


def choose() -> str | None:
    """Choose the first installed backend where the one that Keras would take is not installed.

    Keras takes `KERAS_BACKEND`, else what its configuration file says, else TensorFlow. It writes that file by itself,
    naming TensorFlow, so the file alone is no choice of the user's. Does nothing where `KERAS_BACKEND` is set, Keras is
    loaded already, or Keras's own choice is installed.

    Returns:
        The name of the backend that was chosen here, or None.
    """
    if "KERAS_BACKEND" in os.environ or "keras" in sys.modules:
        return None
    found = installed()
    if not found or _configured() in found:
        return None
    os.environ["KERAS_BACKEND"] = found[0]
    return found[0]


def _configured() -> str:
    """Return the backend that Keras's configuration file names, or Keras's default."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        return str(json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend", NAMES[0]))
    except (OSError, ValueError, AttributeError):  # none, or one that Keras itself could not read
        return NAMES[0]
