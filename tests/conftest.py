"""Which tests run where: in one worker those that share what is costly to build, and on one backend a sample.

torch compiles nothing, so there `make test` runs all. TensorFlow compiles each model, and JAX every operation of every
shape by itself: there it runs one case of each variant, one in three of the other parametrized tests of what is
compiled, and each family's own tests on one of the two (`make matrix` and `make costly` run the rest); what was
compiled is dropped when it has grown large.
"""

import contextlib
import ctypes
import gc
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from compiling import ENVIRONMENT

os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})

BACKEND = os.environ.get("KERAS_BACKEND")
COMPILES = BACKEND in ("jax", "tensorflow")
# Folders whose parametrized tests are sampled where models are compiled.
SAMPLED = ("blocks", "calibrate", "layers", "models", "recipes", "search", "training")
# Files that are run on torch alone, where nothing is compiled: a dozen networks of several inputs; every variant once;
# rules in each family's searches; recipes, whose trainings are those of the models' own tests.
ON_TORCH = (
    "calibrate/test_every_variant", "models/test_emotion_explaining", "models/test_emotion_recognizer",
    "models/test_emotion_report", "models/test_rules", "notebooks/test_notebooks", "recipes/test_emotion_recognizer",
    "recipes/test_speech_recognizer", "recipes/test_translator",
)  # fmt: skip
# Files that are run on torch and one backend that compiles: whole families, and what is the same on each backend beyond
# the tests of models.
ELSEWHERE = {
    "jax": (
        "export/test_bundle", "export/test_generating", "models/test_emotion_network", "models/test_recommender",
        "recipes/test_image_classifier", "recipes/test_recommender", "testing/test_call_form", "tests/test_docs",
    ),
    "tensorflow": ("models/test_speech_recognizer", "models/test_translator"),
}  # fmt: skip
# Bytes by which a worker may grow before compiled programs are dropped.
GROWTH = 2 * 2**30
_limit = [GROWTH]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    seen = Counter()
    for item in items:
        group = file = item.path.parent.name + "/" + item.path.stem
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path.stem == "test_conformance" and "name" in parameters:
            group = parameters["name"]
        item.add_marker(pytest.mark.xdist_group(group))
        once = item.get_closest_marker("once") is not None
        left = parameters and item.path.parent.name in SAMPLED and left_out(item, parameters, seen)
        if COMPILES and not once and (left or file in ON_TORCH or file in ELSEWHERE[BACKEND]):
            item.add_marker(pytest.mark.costly)


def left_out(item, parameters, seen):
    """Say whether a parametrized test is left to the costly ones on the slow backends."""
    if item.path.stem == "test_conformance" and "name" in parameters:
        from attention_zoo import layers

        return parameters["name"] not in layers.names()
    test = f"{item.path}::{item.originalname}"
    seen[test] += 1
    return seen[test] % 3 != 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let new weights be the same in each run, whatever ran before; what needs no Keras does not bring it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    if held() > _limit[0]:
        if "jax" in sys.modules:
            sys.modules["jax"].clear_caches()
        gc.collect()
        give_back()
        _limit[0] = held() + GROWTH


def give_back():
    """Return freed memory to the system, where the C library knows how."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def held():
    """Return the bytes that this process holds; 0 where the system does not tell."""
    statistics = Path("/proc/self/statm")
    if not statistics.exists():
        return 0
    return int(statistics.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
