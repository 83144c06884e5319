"""Which backends are installed, and which one to take; the one place that knows them by name."""

import importlib.util
import os
import sys
from pathlib import Path

NAMES = ("tensorflow", "jax", "torch")


def installed() -> list[str]:
    """List the backends that can be imported here, in Keras's own order."""
    return [name for name in NAMES if importlib.util.find_spec(name) is not None]


def choose() -> str | None:
    """Choose the first installed backend where Keras's own choice, TensorFlow, is not installed.

    Does nothing if the user has chosen (`KERAS_BACKEND` or Keras's configuration file), if Keras is loaded already, or
    if TensorFlow is there.

    Returns:
        The name of the backend that was chosen here, or None.
    """
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    decided = "KERAS_BACKEND" in os.environ or "keras" in sys.modules or (home / "keras.json").exists()
    if decided:
        return None
    found = installed()
    if not found or found[0] == NAMES[0]:
        return None
    os.environ["KERAS_BACKEND"] = found[0]
    return found[0]
