"""Tasks that were trained once for all tests of this folder."""

import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from families import FAMILIES


@pytest.fixture(scope="session")
def trained():
    """Return a function that trains a family once and keeps it."""
    kept = {}

    def get(name):
        if name not in kept:
            family = next(family for family in FAMILIES if family.name == name)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                task = family.new()
                inputs, truths = family.examples()
                history = task.fit((inputs, truths), progress=False, **family.learning)
            kept[name] = (family, task, history)
        return kept[name]

    return get
