"""Tests that share what is costly to build run in one worker, or each worker builds it again."""

import pytest


def test_a_worker_knows_the_group_of_a_test(request):
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("not in a worker that is given groups")
    assert request.node.nodeid.endswith("@house/test_groups")
