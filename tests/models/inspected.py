"""What tests of all families ask of statistics, self-tests and the judging of explanations."""

import contextlib

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.watch.names import PREFIX


@contextlib.contextmanager
def quick(task):
    """Let a task that searches do so greedily: what it writes does not matter here."""
    before = task.config
    task.config = before.change(beam=1, **({"ctc_weight": 1.0} if hasattr(before, "ctc_weight") else {}))
    yield task
    task.config = before


def check_statistics(task, inputs, tolerance=1e-4):
    """Ask for statistics of several inputs, and of the last one alone."""
    found, alone = task.statistics(inputs, batch_size=2), task.statistics(inputs[-1:])
    assert found and set(found) == set(alone)
    for site, values in found.items():
        assert values.shape[0] == len(inputs) and values.ndim == 3
        np.testing.assert_allclose(values[-1:], alone[site], atol=tolerance, err_msg=site)
    test = task.self_test(inputs)
    assert not test.judge(found).alarm
    some = next(iter(found))
    broken = {**found, some: np.roll(found[some], 1, axis=0) + 0.1}
    assert test.judge(broken).alarm


def check_watched(runner, graph, task, inputs):
    """Ask an export for the statistics of one graph: they are those of the task."""
    outputs = [name for name in runner.outputs[graph] if name.startswith(PREFIX)]
    assert outputs
    told, wanted = runner.run(task.network_inputs(inputs), outputs, graph=graph), task.statistics(inputs)
    for name in outputs:
        np.testing.assert_allclose(told[name], wanted[name.removeprefix(PREFIX)], atol=1e-3, err_msg=name)


def check_faithfulness(task, given, other, learned=True):
    """Ask how faithful each explanation is: hiding what matters most must hurt more than chance.

    What has not `learned` to need its input may be as sure of an answer without any.
    """
    answer = task.answered(given)
    for method in task.methods:
        found = task.faithfulness(given, method, answer=answer, orders=8)
        assert np.isfinite(found.gain) and 0 <= found.deletion <= 1 and 0 <= found.insertion <= 1
        if method == "occlusion":
            assert found.gain > 0 or not learned
    parts = len(task.trial(given, answer, "occlusion")[0])
    importance, score = task.trial(given, answer, "attention")
    assert importance.shape == (parts,)
    shown = score(np.stack([np.ones(parts, bool), np.zeros(parts, bool)]))
    assert shown[0] > shown[1] or not learned
    named = task.faithfulness(given, "attention", answer=answer, orders=1)
    assert named.deleted[0] == pytest.approx(shown[0], abs=1e-5)
    assert task.faithfulness(given, "attention", answer=other, orders=1).deleted[0] < shown[0]
    with pytest.raises(ZooValueError, match="attnetion"):
        task.faithfulness(given, "attnetion")
