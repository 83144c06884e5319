"""A detector names the head and the layer, raises few false alarms, and comes back from a file as it was."""

import io
import subprocess
import sys

import faulty_heads
import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.watch import GATE, MIX, AttentionDetector

pytestmark = pytest.mark.once

WINDOW = 16
METHODS = ("robust_z", "mahalanobis")
SITE, HEAD = "encoder_1", 2


@pytest.fixture(scope="module")
def normal():
    return faulty_heads.normal(480, seed=0)


@pytest.fixture(scope="module", params=METHODS)
def detector(request, normal):
    return AttentionDetector(request.param, window=WINDOW).fit(normal, seed=1)


def cut(statistics, start, count=WINDOW):
    return {site: one[start : start + count] for site, one in statistics.items()}


def alarms(detector, statistics):
    """Return the share of windows of these examples that raise an alarm."""
    count = len(statistics["gate"]) // WINDOW
    return np.mean([detector.judge(cut(statistics, number * WINDOW)).alarm for number in range(count)])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stated", [0.01, 0.1])
def test_false_alarms_on_new_normal_windows_are_about_the_stated_rate(method, stated):
    fresh = faulty_heads.normal(400 * WINDOW, seed=99)
    rates = [
        alarms(AttentionDetector(method, stated, WINDOW).fit(faulty_heads.normal(480, seed=seed), seed=seed), fresh)
        for seed in range(20, 24)
    ]
    assert np.mean(rates) <= 2.0 * stated
    assert stated < 0.05 or np.mean(rates) >= 0.3 * stated  # a threshold that nothing reaches would be no use


@pytest.mark.parametrize("kind", faulty_heads.FAULTS)
def test_a_fault_of_a_head_is_found_named_and_no_other_head_is_accused(detector, kind):
    for seed in range(4):
        judgement = detector.judge(faulty_heads.faulty(WINDOW, 300 + seed, faulty_heads.FAULTS[kind]))
        assert judgement.alarm and judgement.heads == {SITE: [HEAD]}
        (finding,) = judgement.findings
        assert (finding.site, finding.head, finding.kind) == (SITE, HEAD, kind)
        assert not finding.low <= finding.value <= finding.high
        assert judgement.score == finding.score == judgement.scores[SITE][HEAD] > judgement.threshold


def test_normal_windows_have_no_findings(detector):
    judgement = detector.judge(faulty_heads.normal(WINDOW, seed=301))
    assert not judgement.alarm and judgement.findings == () and judgement.heads == {}
    assert judgement.score == max(max(scores) for scores in judgement.scores.values())


def test_one_nan_in_one_example_is_an_alarm_of_that_head_alone(detector):
    statistics = faulty_heads.normal(WINDOW, seed=302)
    statistics[SITE][3, HEAD] = np.nan
    statistics[SITE][3, :, MIX.index("agreement")] = np.nan  # the mean of all heads is poisoned
    judgement = detector.judge(statistics)
    assert judgement.heads == {SITE: [HEAD]} and judgement.score == np.inf
    assert judgement.findings[0].kind == "nan" and "not a number" in judgement.findings[0].sentence()
    assert judgement.as_dict()["score"] is None


def test_a_rare_example_with_one_key_has_no_entropy_and_is_no_alarm_but_many_are(detector):
    statistics = faulty_heads.normal(WINDOW, seed=302)
    for count, heads in ((2, {}), (WINDOW, {SITE: [HEAD]})):
        statistics[SITE][:count, HEAD, MIX.index("entropy")] = np.nan
        assert detector.judge(statistics).heads == heads
    # A collapse of a head whose mask is not known looks so too: entropy has no value where all weight is on one key.
    statistics[SITE][:, HEAD, MIX.index("peak")] = 1.0
    assert detector.judge(statistics).findings[0].kind == "collapsed"


def test_one_strange_example_does_not_make_a_strange_window(detector):
    statistics = faulty_heads.normal(WINDOW, seed=310)
    statistics[SITE][0, HEAD] = faulty_heads.faulty(WINDOW, 310, faulty_heads.collapse)[SITE][0, HEAD]
    assert not detector.judge(statistics).alarm


def test_an_infinite_statistic_counts_as_nan(detector):
    statistics = faulty_heads.normal(WINDOW, seed=302)
    statistics["gate"][0, 0, 0] = np.inf
    assert [one.kind for one in detector.judge(statistics).findings] == ["nan"]


def test_where_normal_data_has_nan_a_nan_is_no_alarm_but_many_are(normal):
    normal = {site: one.copy() for site, one in normal.items()}
    normal["encoder_0"][:, 1, MIX.index("entropy")] = np.nan
    normal["encoder_0"][::10, 2, MIX.index("entropy")] = np.nan
    detector = AttentionDetector(window=WINDOW).fit(normal)
    statistics = faulty_heads.normal(WINDOW, seed=303)
    assert not detector.judge(statistics).alarm  # a number where there was none is not judged
    statistics["encoder_0"][:, 1, MIX.index("entropy")] = np.nan
    statistics["encoder_0"][:2, 2, MIX.index("entropy")] = np.nan
    assert not detector.judge(statistics).alarm
    statistics["encoder_0"][:, 2, MIX.index("entropy")] = np.nan
    assert detector.judge(statistics).heads == {"encoder_0": [2]}


def test_a_statistic_that_never_changes_does_not_alarm_at_rounding(normal):
    random = np.random.default_rng(0)
    steady = {site: np.repeat(one[:1], 480, axis=0) for site, one in normal.items()}
    steady = {site: one + random.normal(0, 1e-7, one.shape).astype(np.float32) for site, one in steady.items()}
    for method in METHODS:
        detector = AttentionDetector(method, window=WINDOW).fit(steady)
        near = {site: one[:WINDOW] + 2e-4 for site, one in steady.items()}
        far = {site: one[:WINDOW].copy() for site, one in steady.items()}
        far[SITE][:, HEAD, 0] += 0.05
        assert not detector.judge(near).alarm
        assert detector.judge(far).heads == {SITE: [HEAD]}


def test_the_threshold_comes_from_the_held_out_examples(normal):
    near, far = faulty_heads.normal(240, seed=5), faulty_heads.normal(240, seed=5)
    far["gate"] = 0.5 + 3.0 * (far["gate"] - 0.5)
    thresholds = [AttentionDetector(window=WINDOW).fit(normal, one).threshold for one in (near, far)]
    assert thresholds[1] > 1.5 * thresholds[0]


def test_the_same_seed_gives_the_same_threshold_and_another_does_not(normal):
    found = [AttentionDetector(window=WINDOW).fit(normal, seed=seed).threshold for seed in (3, 3, 4)]
    assert found[0] == found[1] != found[2]


def test_order_of_sites_and_further_sites_do_not_matter(detector):
    statistics = faulty_heads.faulty(WINDOW, 304, faulty_heads.collapse)
    turned = {"more": np.zeros((3, 1, len(GATE)), np.float32)} | dict(reversed(statistics.items()))
    assert detector.judge(turned) == detector.judge(statistics)


def test_more_examples_than_a_window_are_judged_as_one(detector):
    statistics = faulty_heads.faulty(3 * WINDOW, 305, faulty_heads.flatten)
    judgement = detector.judge(statistics)
    assert judgement.examples == 3 * WINDOW and judgement.heads == {SITE: [HEAD]}


def test_too_few_examples_are_refused_with_what_is_needed(normal):
    with pytest.raises(ZooValueError, match=r"held_out must hold at least 200 examples to state 0.01 .* got 199"):
        AttentionDetector(window=WINDOW).fit(normal, cut(normal, 0, 199))
    with pytest.raises(ZooValueError, match=r"held_out must hold at least 96 examples to state 0.1 .* got 95"):
        AttentionDetector(window=WINDOW, false_alarms=0.1).fit(normal, cut(normal, 0, 95))
    with pytest.raises(ZooValueError, match="normal must leave at least 64 examples to learn from, got 63"):
        AttentionDetector(window=WINDOW).fit(cut(normal, 0, 63), normal)
    with pytest.raises(ZooValueError, match="only NaN"):
        AttentionDetector(window=WINDOW).fit({"gate": np.full((400, 1, 4), np.nan)})


def test_what_cannot_be_judged_is_refused(detector, normal):
    short = cut(normal, 0, WINDOW - 1)
    with pytest.raises(ZooValueError, match=r"at least 16 examples .* got 15"):
        detector.judge(short)
    with pytest.raises(ZooValueError, match="must hold the site 'encoder_1', got encoder_0"):
        detector.judge({"encoder_0": normal["encoder_0"]})
    with pytest.raises(ZooValueError, match=r"'encoder_0' must be \[examples, 4 heads, 22\], got \[16, 3, 22\]"):
        detector.judge({**cut(normal, 0), "encoder_0": normal["encoder_0"][:WINDOW, :3]})
    with pytest.raises(ZooValueError, match="equally many"):
        detector.judge({**normal, "gate": normal["gate"][:20]})
    with pytest.raises(ZooTypeError, match="mapping"):
        detector.judge(normal["gate"])
    with pytest.raises(ZooValueError, match="fitted first"):
        AttentionDetector().judge(normal)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "robust"}, "nearest names are 'robust_z'"),
        ({"false_alarms": 0.0}, "false_alarms must be over 0"),
        ({"false_alarms": 0.5}, "false_alarms must be over 0"),
        ({"window": 0}, "window must be a whole number"),
    ],
)
def test_arguments_out_of_range_are_refused(options, sentence):
    with pytest.raises(ZooValueError, match=sentence):
        AttentionDetector(**options)


def test_the_network_is_not_trained_here(normal):
    with pytest.raises(ZooValueError, match=r"trained by attention_zoo\.calibrate"):
        AttentionDetector("autoencoder", window=WINDOW).fit(normal)


def test_a_saved_detector_judges_the_same(detector, tmp_path):
    path = detector.save(tmp_path / "detector.npz")
    again = AttentionDetector.load(path)
    assert (again.method, again.false_alarms, again.window) == (detector.method, 0.01, WINDOW)
    assert again.sites == detector.sites == ("encoder_0", "encoder_1", "gate")
    for fault in faulty_heads.FAULTS.values():
        statistics = faulty_heads.faulty(WINDOW, 306, fault)
        assert again.judge(statistics) == detector.judge(statistics)


def test_a_damaged_file_is_told_at_every_place(detector, tmp_path):
    path = detector.save(tmp_path / "detector.npz")
    content = path.read_bytes()
    harmless = 0
    for place in range(0, len(content), len(content) // 60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            again = AttentionDetector.load(path)
        except ZooFileError:
            continue
        harmless += 1  # a time stamp of the archive, say
        statistics = faulty_heads.normal(WINDOW, seed=307)
        assert again.judge(statistics) == detector.judge(statistics)
    assert harmless < 12
    for wrong in (b"", content[: len(content) // 2], b"not a zip"):
        path.write_bytes(wrong)
        with pytest.raises(ZooFileError, match="no detector, or damaged"):
            AttentionDetector.load(path)
    with pytest.raises(ZooFileError, match="missing"):
        AttentionDetector.load(tmp_path / "none.npz")


def test_an_array_that_was_exchanged_is_told(detector, tmp_path):
    path = detector.save(tmp_path / "detector.npz")
    with np.load(path) as file:
        arrays = dict(file)
    for name in ("normal.center", "unit"):
        buffer = io.BytesIO()
        np.savez(buffer, **{**arrays, name: arrays[name] * 1.01})
        path.write_bytes(buffer.getvalue())
        with pytest.raises(ZooFileError, match="checksum"):
            AttentionDetector.load(path)


def test_a_pickled_array_is_refused(detector, tmp_path):
    path = detector.save(tmp_path / "detector.npz")
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "unit": np.array([{}], dtype=object)})
    with pytest.raises(ZooFileError, match="damaged"):
        AttentionDetector.load(path)


def test_a_detector_is_loaded_and_judges_without_keras(detector, tmp_path):
    detector.save(tmp_path / "detector.npz")
    statistics = faulty_heads.faulty(WINDOW, 308, faulty_heads.sink)
    np.savez(tmp_path / "statistics.npz", **statistics)
    code = (
        "import sys, numpy as np\n"
        "from attention_zoo.watch import AttentionDetector, Monitor\n"
        "detector = AttentionDetector.load(sys.argv[1] + '/detector.npz')\n"
        "statistics = dict(np.load(sys.argv[1] + '/statistics.npz'))\n"
        "print(Monitor(detector).observe(statistics)[0].sentence())\n"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'tensorboard') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    told, loaded = done.stdout.splitlines()
    assert "encoder_1, head 2, looks at the first position alone" in told and loaded == "[]"
