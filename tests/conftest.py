"""Which tests run in one worker: those of one file share its fixtures, those of one attention layer the built layer."""

import os

import pytest

# Hundreds of small programs are compiled here and run once: compile fast, not well.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")


def pytest_collection_modifyitems(items):
    for item in items:
        group = item.path.parent.name + "/" + item.path.stem
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path.stem == "test_conformance" and "name" in parameters:
            group = parameters["name"]
        item.add_marker(pytest.mark.xdist_group(group))
