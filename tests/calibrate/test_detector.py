"""The learned detector: trained with Keras, as good as the plain ones, and run without."""

import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "watch"))
import faulty_heads

from attention_zoo import watch
from attention_zoo.calibrate import AttentionDetector
from attention_zoo.calibrate.detector import train_autoencoder
from attention_zoo.watch.columns import Columns

WINDOW, STATED = 16, 0.01


@pytest.fixture(scope="module")
def detector():
    return AttentionDetector("autoencoder", STATED, WINDOW).fit(faulty_heads.normal(480, seed=0), seed=1)


@pytest.fixture(scope="module")
def small():
    """Return few distances that hang together, and their columns."""
    columns = Columns((("one", 3, watch.GATE),))
    generator = np.random.default_rng(0)
    return generator.normal(size=(100, 2)) @ generator.normal(size=(2, len(columns))), columns


def test_false_alarms_on_new_normal_windows_are_about_the_stated_rate(detector):
    fresh = faulty_heads.normal(400 * WINDOW, seed=99)
    alarms = [
        detector.judge({site: one[start : start + WINDOW] for site, one in fresh.items()}).alarm
        for start in range(0, 400 * WINDOW, WINDOW)
    ]
    assert np.mean(alarms) <= 2.0 * STATED


@pytest.mark.parametrize("kind", faulty_heads.FAULTS)
def test_a_fault_of_a_head_is_found_named_and_comes_first(detector, kind):
    for seed in range(4):
        judgement = detector.judge(faulty_heads.faulty(WINDOW, 300 + seed, faulty_heads.FAULTS[kind]))
        first = judgement.findings[0]
        assert judgement.alarm and (first.site, first.head, first.kind) == ("encoder_1", 2, kind)
        assert judgement.heads == {"encoder_1": [2]}


def test_it_sees_what_no_statistic_of_a_head_shows_alone(detector):
    """Heads that always move together are told apart when one moves against the others, each within its range."""
    statistics = faulty_heads.normal(400, seed=7)
    mood = statistics["encoder_0"][:, 0, 0].argsort()
    low, high = mood[110 : 110 + WINDOW], mood[275 : 275 + WINDOW]
    sound = {site: one[low] for site, one in statistics.items()}
    turned = {**sound, "encoder_1": sound["encoder_1"].copy()}
    turned["encoder_1"][:, 2] = statistics["encoder_1"][high, 2]
    plain = AttentionDetector("robust_z", STATED, WINDOW).fit(faulty_heads.normal(480, seed=0), seed=1)
    assert not plain.judge(sound).alarm and not plain.judge(turned).alarm
    assert not detector.judge(sound).alarm
    assert detector.judge(turned).heads == {"encoder_1": [2]}


def test_numpy_runs_what_keras_trained(small):
    distances, columns = small
    layers = train_autoencoder(distances, columns, seed=0)
    network = keras.Sequential([keras.Input((len(columns),))])
    for number, (kernel, bias) in enumerate(layers):
        network.add(keras.layers.Dense(len(bias), "tanh" if number < len(layers) - 1 else None))
        network.layers[-1].set_weights([kernel, bias])
    ours = watch.METHODS["autoencoder"](layers, np.ones(len(columns)), columns).restored(np.clip(distances, -4, 4))
    np.testing.assert_allclose(ours, network.predict(np.clip(distances, -4, 4), verbose=0), atol=1e-5)
    # It has learned: what hangs together is restored out of itself, but for a part.
    error = np.mean((np.clip(distances, -4, 4) - ours) ** 2)
    assert error < 0.5 * np.var(np.clip(distances, -4, 4))


def test_a_seed_decides_all_and_nothing_else_that_is_random_is_touched(small):
    def drawn():
        return random.random(), np.random.random(), keras.ops.convert_to_numpy(keras.random.uniform((1,))).item()

    keras.utils.set_random_seed(5)
    wanted = drawn()
    keras.utils.set_random_seed(5)
    first = train_autoencoder(*small, seed=0)
    assert drawn() == wanted
    second, other = train_autoencoder(*small, seed=0), train_autoencoder(*small, seed=1)
    assert all(np.array_equal(a, b) for one, two in zip(first, second) for a, b in zip(one, two))
    assert not np.array_equal(first[0][0], other[0][0])


def test_what_is_saved_is_judged_alike_without_keras(detector, tmp_path):
    path = detector.save(tmp_path / "detector.npz")
    statistics = faulty_heads.faulty(WINDOW, 306, faulty_heads.shift)
    assert watch.AttentionDetector.load(path).judge(statistics) == detector.judge(statistics)
    assert isinstance(AttentionDetector.load(path), AttentionDetector)
    np.savez(tmp_path / "statistics.npz", **statistics)
    code = (
        "import sys, numpy as np\n"
        "from attention_zoo.watch import AttentionDetector\n"
        "judgement = AttentionDetector.load(sys.argv[1]).judge(dict(np.load(sys.argv[2])))\n"
        "print(judgement.findings[0].kind, judgement.heads['encoder_1'], 'keras' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "statistics.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["shifted", "[2]", "False"]


def test_the_plain_methods_are_those_of_the_floor_below():
    normal = faulty_heads.normal(480, seed=0)
    ours, theirs = (kind("mahalanobis").fit(normal) for kind in (AttentionDetector, watch.AttentionDetector))
    assert ours.threshold == theirs.threshold
