"""Rules that learn: on labels, on statistics; in tasks, files and exports."""

import json

import keras
import numpy as np
import pytest
from keras import ops

import attention_zoo as az
from attention_zoo import runtime
from attention_zoo.calibrate import adapt, calibrate, collect, penalize, reweight
from attention_zoo.calibrate.penalties import PENALTIES, EntropyPenalty
from attention_zoo.layers import MultiHeadAttention
from attention_zoo.watch import MIX, Baseline, SelfTest


def problem(examples=400, length=6):
    """Return sequences of which one element, marked by its last channel, says the label."""
    random = np.random.default_rng(0)
    arrays = random.normal(size=(examples, length, 4)).astype("float32")
    place = random.integers(0, length, examples)
    arrays[..., 3] = 0
    arrays[np.arange(examples), place, 3] = 3
    return arrays, (arrays[np.arange(examples), place, 0] > 0).astype("int32")


def a_model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 4))
    vectors = MultiHeadAttention(2, 4, name="eye")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(vectors)))
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    arrays, labels = problem()
    model.fit(arrays, labels, epochs=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def model():
    return a_model()


def weights_of(model):
    return [ops.convert_to_numpy(weight) for weight in model.weights]


def test_only_rules_learn_and_what_helps_is_kept(model):
    before = weights_of(model)
    found = calibrate(model, problem(), rules=["temperature", "head_gate"], epochs=10, learning_rate=0.05)
    for value, weight in zip(before, weights_of(model)):
        np.testing.assert_array_equal(value, weight)
    assert found.parameters == 4 and model.trainable
    better = found.after["nll"].value <= found.before["nll"].value
    assert found.kept == (better and found.after["accuracy"].value >= found.before["accuracy"].value)
    assert found.change["nll"].low <= found.change["nll"].value <= found.change["nll"].high
    assert "parameters" in found.table()


def test_rules_that_do_harm_are_taken_back(model):
    arrays, labels = problem()
    wrong = calibrate(model, (arrays, 1 - labels), (arrays, labels), rules="head_gate", epochs=5, learning_rate=0.1)
    assert not wrong.kept and wrong.after["nll"].value > wrong.before["nll"].value
    np.testing.assert_allclose(ops.convert_to_numpy(wrong.model.rules[0].factor), 1.0)
    np.testing.assert_allclose(wrong.model.predict(arrays, verbose=0), model.predict(arrays, verbose=0), atol=1e-5)


def test_several_labels_are_judged_too(model):
    arrays, labels = problem()
    found = calibrate(model, (arrays, np.stack([labels, 1 - labels], axis=1)), rules="temperature", epochs=1)
    assert 0 <= found.before["accuracy"].value <= 1


def test_adapting_brings_entropy_back_to_normal(model):
    arrays, _ = problem()
    entropy, normal = MIX.index("entropy"), collect(model, arrays)
    warm = reweight(model, {"eye": "temperature"})
    warm.rules[0].log_temperature.assign(np.full((1, 2, 1, 1), 1.5, "float32"))
    cold = reweight(warm, "temperature")
    off = np.abs(collect(cold, arrays)["eye"][..., entropy] - normal["eye"][..., entropy]).mean()
    history = adapt(cold, arrays, Baseline.of(normal), statistics=("entropy",), epochs=20, learning_rate=0.1)
    left = np.abs(collect(cold, arrays)["eye"][..., entropy] - normal["eye"][..., entropy]).mean()
    assert history["loss"][-1] < history["loss"][0]
    assert left < 0.5 * off


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_falls_while_it_is_trained_and_changes_no_answer(name):
    model = a_model()
    arrays, _ = problem()
    penalty = EntropyPenalty(0.0, 0.2, weight=1.0) if name == "entropy" else PENALTIES[name](weight=1.0)
    asked = penalize(model, penalty)
    np.testing.assert_array_equal(asked.predict(arrays, verbose=0), model.predict(arrays, verbose=0))
    asked.compile(keras.optimizers.Adam(0.01), loss=lambda wanted, found: 0.0 * ops.sum(found, axis=-1))
    losses = asked.fit(arrays, problem()[1], epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 1e-4


def test_what_learns_is_told_what_it_cannot_use(model):
    with pytest.raises(TypeError, match=r"data must be \(arrays, targets\) or batches, got int"):
        calibrate(model, 3)
    with pytest.raises(ValueError, match="rules must have something to learn"):
        calibrate(model, problem(), rules="repair")
    with pytest.raises(TypeError, match="model must be one of `reweight`"):
        adapt(model, problem()[0], Baseline.of(collect(model, problem()[0])))
    with pytest.raises(ValueError, match="penalty 'entrpy' is unknown; the nearest names are 'entropy'"):
        penalize(model, "entrpy")
    with pytest.raises(ValueError, match=r"weight must be at least 0 .*, got -1"):
        EntropyPenalty(weight=-1)
    asked = penalize(a_model(), {"decoder*": "entropy"})
    asked.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(
        ValueError, match=r"penalties must be for sites of the model, got 'decoder\*'; its sites are \['"
    ):
        asked.train_on_batch(*problem())


TEXTS = ["book me a flight to rome", "what is the weather like", "play some music", "set an alarm for six"]


def test_a_classifier_keeps_its_rules_through_save_and_load(tmp_path):
    task = az.load("clinc150_intent").reweight({"pooling": "temperature"})
    plain = task.logits(TEXTS)
    task.model.rules[0].log_temperature.assign(np.full((1, 4, 1, 1), 0.7, "float32"))
    wanted = task.logits(TEXTS)
    assert np.abs(wanted - plain).max() > 1e-3
    again = az.load(task.save(tmp_path / "mine"))
    np.testing.assert_allclose(again.logits(TEXTS), wanted, atol=1e-5)
    np.testing.assert_allclose(again.reweight(None).logits(TEXTS), plain, atol=1e-5)


def test_a_damaged_file_of_rules_is_told(tmp_path):
    folder = az.load("clinc150_intent").reweight("temperature").save(tmp_path / "mine")
    described = json.loads((folder / "rules.json").read_text())
    described["rules"][0]["rule"] = "lambda"
    (folder / "rules.json").write_text(json.dumps(described))
    (folder / "card.json").unlink()
    with pytest.raises(OSError, match=r"rules\.json is damaged: rule 'lambda' is unknown"):
        type(az.load("clinc150_intent")).load(folder)


def test_a_classifier_learns_rules_from_texts():
    task = az.load("clinc150_intent")
    texts, labels = TEXTS * 4, [answer.label for answer in task.predict(TEXTS)] * 4
    before = task.logits(TEXTS)
    found = task.calibrate((texts, labels), (texts, labels), rules="head_gate", epochs=2)
    assert found.parameters == 4
    assert (np.abs(task.logits(TEXTS) - before).max() > 1e-6) == found.kept


@pytest.mark.once
def test_a_correction_is_exported_and_its_statistics_too(tmp_path):
    task = az.load("clinc150_intent").reweight({"pooling": "blend"})
    task.model.rules[0].strength.assign(np.full((1, 4, 1, 1), 0.5, "float32"))
    report = task.export(tmp_path / "bundle", "onnx", attention="statistics")
    assert max(report.differences.values()) <= 1e-4
    runner = runtime.load(tmp_path / "bundle")
    assert [answer.label for answer in runner.predict(TEXTS)] == [answer.label for answer in task.predict(TEXTS)]
    arrays = task.preprocessor(TEXTS)
    found = runner.run(arrays)["statistics.pooling"]
    np.testing.assert_allclose(found, collect(task.model, arrays)["pooling"], atol=1e-4)
    # What Keras recorded is what the graph gives; without the correction another head speaks.
    test = SelfTest(collect(task.model, arrays), arrays)
    assert not test.run(runner).alarm
    assert test.judge(collect(az.load("clinc150_intent").model, arrays)).alarm


@pytest.mark.parametrize("method", ["attention", "gradient", "occlusion"])
def test_an_explanation_of_a_text_is_judged_against_chance(method):
    found = az.load("clinc150_intent").faithfulness(TEXTS[0], method, orders=3)
    assert found.deleted[0] == pytest.approx(found.inserted[-1], abs=1e-5)
    assert found.deleted[-1] == pytest.approx(found.inserted[0], abs=1e-5)
    assert found.gain > 0 or method != "occlusion"
    with pytest.raises(ValueError, match="method 'attnetion' is unknown"):
        az.load("clinc150_intent").faithfulness(TEXTS[0], "attnetion")


def test_an_explanation_of_a_picture_is_judged_against_chance():
    picture = np.zeros((28, 28), np.uint8)
    picture[6:24, 8:20] = 200
    found = az.load("fashion_mnist_hybrid").faithfulness(picture, "occlusion", orders=2, steps=5)
    assert len(found.share) == 6
    assert np.isfinite([found.deletion, found.insertion, found.gain]).all()


def test_heads_are_switched_off_one_by_one():
    task = az.load("clinc150_intent")
    effects = az.calibrate.head_effects(task.model, task.preprocessor(TEXTS))
    assert effects["pooling"].shape == (4,)
    assert np.abs(effects["pooling"]).max() > 1e-4
