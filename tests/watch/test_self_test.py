"""The same inputs again: a sound model is told from one whose head changed by little."""

import faulty_heads
import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.watch import MIX, Monitor, SelfTest

COUNT = 12


@pytest.fixture(scope="module")
def record():
    return faulty_heads.normal(COUNT, seed=5)


def changed(record, site, head, name, by):
    """Return statistics of which one is moved in each example."""
    found = {one: array.copy() for one, array in record.items()}
    found[site][:, head, MIX.index(name)] += by
    return found


def test_rounding_is_no_alarm_and_a_small_change_of_one_head_is(record):
    test = SelfTest(record)
    random = np.random.default_rng(0)
    rounded = {site: one + random.normal(0, 1e-4, one.shape).astype("float32") for site, one in record.items()}
    judged = test.judge(rounded)
    assert not judged.alarm and judged.findings == () and 0 < judged.score < 1
    # A hundredth: in a window of traffic examples differ by more.
    judged = test.judge(changed(rounded, "encoder_0", 1, "offset", 0.01))
    assert judged.alarm and judged.heads == {"encoder_0": [1]}
    (finding,) = judged.findings
    assert (finding.kind, finding.statistic) == ("shifted", "offset")
    assert finding.score == pytest.approx(5.0, rel=0.1)
    assert "encoder_0, head 1, looks elsewhere than usual (shifted): offset is" in finding.sentence()


def test_changes_that_cancel_between_examples_are_seen(record):
    by = np.where(np.arange(COUNT) % 2, 0.05, -0.05)
    judged = SelfTest(record).judge(changed(record, "encoder_0", 0, "offset", by))
    assert judged.heads == {"encoder_0": [0]}


def test_the_first_site_that_changed_is_to_blame_and_agreement_only_alone(record):
    sites = list(record)
    found = changed(record, sites[0], 1, "peak", 0.2)
    found[sites[0]][..., MIX.index("agreement")] -= 0.1
    found = changed(found, sites[1], 0, "peak", 0.3)
    judged = SelfTest(record).judge(found)
    assert judged.heads == {sites[0]: [1]}
    assert judged.scores[sites[1]][0] > 1
    only = {site: one.copy() for site, one in record.items()}
    only[sites[0]][:, :2, MIX.index("agreement")] -= 0.1
    assert SelfTest(record).judge(only).heads == {sites[0]: [0, 1]}


def test_nan_is_told_and_what_never_was_a_number_is_not(record):
    was = {site: one.copy() for site, one in record.items()}
    was["encoder_0"][:, 0, MIX.index("entropy")] = np.nan
    test = SelfTest(was)
    assert not test.judge(was).alarm
    now = {site: one.copy() for site, one in was.items()}
    now["encoder_0"][3, 2] = np.nan
    judged = test.judge(now)
    assert judged.heads == {"encoder_0": [2]} and judged.score == np.inf
    assert judged.findings[0].kind == "nan" and "not a number" in judged.findings[0].sentence()


def test_a_file_gives_the_same_test(record, tmp_path):
    inputs = {"token_ids": np.arange(COUNT * 4, dtype="int32").reshape(COUNT, 4), "texts": np.array(["a"] * COUNT)}
    test = SelfTest(record, inputs, tolerance=0.01)
    again = SelfTest.load(test.save(tmp_path / "test.npz"))
    found = changed(record, "encoder_0", 1, "entropy", -0.3)
    assert again.judge(found) == test.judge(found)
    assert again.sites == test.sites and again.tolerance == 0.01
    for name, one in inputs.items():
        np.testing.assert_array_equal(again.inputs[name], one)
    content = bytearray((tmp_path / "test.npz").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "test.npz").write_bytes(content)
    with pytest.raises(ZooFileError, match="is no self-test, or damaged"):
        SelfTest.load(tmp_path / "test.npz")


def test_a_runner_is_asked_what_is_on_record(record):
    class Runner:
        outputs = {"classifier": tuple(f"statistics.{site}" for site in record), "other": ("output",)}

        def run(self, inputs, outputs, *, graph=None):
            assert graph == "classifier" and list(inputs) == ["rows"]
            assert outputs == [f"statistics.{site}" for site in record]
            return {f"statistics.{site}": one for site, one in found.items()}

    test = SelfTest(record, {"rows": np.zeros((COUNT, 2))})
    found = record
    assert not test.run(Runner()).alarm
    found = changed(record, "encoder_0", 1, "sink", 0.1)
    assert test.run(Runner(), "classifier").alarm
    with pytest.raises(ZooValueError, match="export it with attention='statistics'"):
        test.run(Runner(), "other")


def test_a_monitor_takes_it_for_a_detector(record):
    monitor = Monitor(SelfTest(record))
    assert monitor.observe(record, whole=True) == []
    (event,) = monitor.observe(changed(record, "encoder_0", 1, "offset", 0.05), whole=True)
    assert "encoder_0" in event.sentence()
    monitor.observe(record, whole=True)
    (event,) = monitor.observe(record, whole=True)
    assert not monitor.alert


def test_what_cannot_work_is_told(record):
    with pytest.raises(ZooValueError, match=r"tolerance must be over 0 \(change of a statistic\), got 0"):
        SelfTest(record, tolerance=0)
    with pytest.raises(ZooValueError, match=r"inputs must hold 12 examples as the record, got 3 of 'x'"):
        SelfTest(record, {"x": np.zeros(3)})
    with pytest.raises(ZooValueError, match="record must hold at least one example, got none"):
        SelfTest({site: one[:0] for site, one in record.items()})
    with pytest.raises(ZooValueError, match="statistics must be of the 12 examples on record, got 11"):
        SelfTest(record).judge({site: one[1:] for site, one in record.items()})
    with pytest.raises(ZooValueError, match="inputs must be kept to run a model on them"):
        SelfTest(record).run(None)
    with pytest.raises(ZooTypeError, match="got objects in 'x'"):
        SelfTest(record, {"x": np.array([None] * COUNT)}).save("nowhere.npz")
