"""Which tests run where: in one worker those that share what is costly to build, and on one backend a sample.

torch compiles nothing, so there `make test` runs all. TensorFlow compiles each model, and JAX every operation of every
shape by itself: there it runs one case of each variant (on JAX of one variant in three), one in four of the other
parametrized tests of what is compiled, and each family's own tests on one of the two (`make matrix` and `make costly`
run the rest); what was compiled is dropped when it has grown large.
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
# Files and tests that are run on torch alone, where nothing is compiled: a dozen networks of several inputs; every
# variant once; rules in each family's searches; trainings beside those of the models' own tests.
ON_TORCH = (
    "calibrate/test_every_variant", "models/test_emotion_explaining", "models/test_emotion_recognizer",
    "models/test_emotion_report", "models/test_rules", "notebooks/test_notebooks", "recipes/test_emotion_recognizer",
    "recipes/test_recommender", "recipes/test_speech_recognizer", "recipes/test_text_classifier",
    "recipes/test_translator",
    "calibrate/test_detector::test_a_seed_decides_all_and_nothing_else_that_is_random_is_touched",
    "models/test_recommender::test_a_training_that_was_cut_goes_on",
    "models/test_recommender::test_half_precision_trains_and_answers",
    "models/test_recommender::test_hidden_places_and_padding_change_no_score_of_a_training",
    "models/test_recommender::test_it_learns_from_a_table_and_from_lists",
    "models/test_recommender::test_new_items_are_learned_and_old_ones_kept",
    "models/test_recommender::test_other_losses_learn_too",
)  # fmt: skip
# Files that are run on torch and one backend that compiles: whole families, and what is the same on each backend beyond
# the tests of models.
ELSEWHERE = {
    "jax": (
        "export/test_bundle", "export/test_generating", "models/test_emotion_network", "models/test_recommender",
        "recipes/test_image_classifier", "testing/test_call_form", "tests/test_docs",
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
        test = f"{file}::{getattr(item, 'originalname', item.name)}"
        elsewhere = {file, test} & {*ON_TORCH, *ELSEWHERE.get(BACKEND, ())}
        if COMPILES and not once and (left or elsewhere):
            item.add_marker(pytest.mark.costly)


def left_out(item, parameters, seen):
    """Say whether a parametrized test is left to the costly ones on the slow backends."""
    if item.path.stem == "test_conformance" and "name" in parameters:
        from attention_zoo import layers

        names = layers.names()
        return parameters["name"] not in (names[::3] if BACKEND == "jax" else names)
    test = f"{item.path}::{item.originalname}"
    seen[test] += 1
    return seen[test] % 4 != 1


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
