"""The networks of the emotion recognizer: every fusion with whatever is missing, context, tasks, saved, exported."""

import keras
import numpy as np
import pytest

from attention_zoo.calibrate import capture
from attention_zoo.errors import ZooError
from attention_zoo.export import ExportRequest, Report, export_many
from attention_zoo.models.emotion_recognizer import FUSIONS, EmotionRecognizerConfig, build_network
from attention_zoo.models.emotion_recognizer.fusion import FUSIONS as TABLE
from attention_zoo.training import CrossEntropy, UncertainLoss

MODALITIES = ("image", "audio", "text")
LABELS = ("angry", "calm", "happy")
SIZES = {
    "height": 12, "width_pixels": 12, "mels": 8, "vocabulary_size": 20, "width": 16, "heads": 2, "feed_forward": 16,
    "picture_widths": (8, 8), "sound_filters": 4, "convolution": 3, "audio_depth": 1, "hidden": 8,
}  # fmt: skip
VECTORS = {"image": "features", "audio": "features", "text": "features"}
WIDTHS = {"image_features": 4, "audio_features": 5, "text_features": 6}
# Float32 sums in another order differ by a few units in the seventh place.
CLOSE = 1e-5


def config(**changes):
    """Describe a small network that reads pictures, sounds and words."""
    return EmotionRecognizerConfig(**{"labels": LABELS, "modalities": MODALITIES, **SIZES, **changes})


def vectors(**changes):
    """Describe one that reads sequences of vectors."""
    return config(**VECTORS, **WIDTHS, **changes)


def arrays(described, steps, seed=0):
    """Make noise for rows with so many steps of each modality; all that is no step is 0."""
    generator = np.random.default_rng(seed)
    found = {}
    for name in described.modalities:
        counts = np.array([row.get(name, 0) for row in steps], "int32")
        shape = (len(steps), max(int(counts.max()), 1))
        kind = described.kind(name)
        if kind == "words":
            noise = generator.integers(1, described.vocabulary_size, shape).astype("int32")
        else:
            tail = {"frames": (12, 12, described.channels), "sound": (described.mels,)}.get(kind)
            tail = (getattr(described, f"{name}_features"),) if tail is None else tail
            noise = generator.uniform(size=(*shape, *tail)).astype("float32")
        for row, count in zip(noise, counts):
            row[count:] = 0
        found |= {name: noise, f"{name}_steps": counts}
    return found


STEPS = [
    {"image": 2, "audio": 21},
    {"audio": 9, "text": 4},
    {"image": 1, "text": 6},
    {"text": 2},
    {"image": 3, "audio": 30, "text": 5},
]


def answers(model, inputs):
    """Predict, and check that the numbers are some."""
    found = model.predict_on_batch(inputs)
    found = found if isinstance(found, dict) else {"logits": found}
    found = {name: np.asarray(value) for name, value in found.items()}
    assert all(np.isfinite(value).all() for value in found.values())
    return found


def shaken(model, by=0.3):
    """Draw all weights anew, so that none is zero and gates are open."""
    generator = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + by * generator.normal(size=weight.shape).astype("float32"))
    return model


def test_every_fusion_has_a_function():
    assert tuple(TABLE) == FUSIONS


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_row_gets_what_it_gets_alone_whatever_others_lack(fusion):
    described = config(fusion=fusion)
    model, inputs = shaken(build_network(described)), arrays(described, STEPS)
    together = answers(model, inputs)["logits"]
    for row, steps in enumerate(STEPS):
        alone = {name: array[row : row + 1] for name, array in inputs.items()}
        for name in MODALITIES:
            alone[name] = alone[name][:, : max(steps.get(name, 0), 1)]
        np.testing.assert_allclose(answers(model, alone)["logits"], together[row : row + 1], atol=CLOSE)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_stands_in_the_place_of_what_is_missing_counts_for_nothing(fusion):
    described = config(fusion=fusion)
    model, inputs = shaken(build_network(described)), arrays(described, STEPS)
    wanted = answers(model, inputs)["logits"]
    for name in MODALITIES:
        inputs[name] = inputs[name].copy()
        for row, count in zip(inputs[name], inputs[f"{name}_steps"]):
            row[count:] = 7 if name == "text" else np.nan
    np.testing.assert_allclose(answers(model, inputs)["logits"], wanted, atol=CLOSE)
    # A modality that is there does change the answer: the test above could not fail otherwise.
    for name in MODALITIES:
        hidden = {**inputs, f"{name}_steps": np.zeros(len(STEPS), "int32")}
        changed = np.abs(answers(model, hidden)["logits"] - wanted).max(axis=1)
        there = np.array([name in steps for steps in STEPS])
        assert changed[there].min() > 1e-4 and changed[~there].max() < CLOSE


@pytest.mark.parametrize("fusion", FUSIONS)
def test_training_with_rows_that_lack_everything_stays_finite(fusion):
    described = vectors(fusion=fusion, dropout=0.0, head_dropout=0.0, modality_dropout=0.5)
    model, inputs = build_network(described), arrays(described, [*STEPS, {}])
    model.compile("sgd", CrossEntropy())
    before = [np.array(weight) for weight in model.trainable_weights]
    losses = [float(model.train_on_batch(inputs, np.array([0, 1, 2, 0, 1, 2]))) for _ in range(3)]
    after = [np.asarray(keras.ops.convert_to_numpy(weight.value)) for weight in model.trainable_weights]
    assert np.isfinite(losses).all() and all(np.isfinite(weight).all() for weight in after)
    assert sum(np.abs(one - other).max() > 0 for one, other in zip(before, after)) > len(after) / 2


@pytest.mark.parametrize("modality", MODALITIES)
def test_one_modality_alone_needs_no_fusion(modality):
    described = config(modalities=(modality,))
    model = build_network(described)
    found = answers(model, arrays(described, STEPS))["logits"]
    assert found.shape == (5, 3)
    names = [layer.name for layer in model.layers]
    assert f"{modality}_pooling" in names
    assert not any(name.startswith(("fusion", "modality_dropout")) for name in names)
    assert described.attention_name == "attention_pooling"


def test_what_each_modality_looked_at_can_be_captured():
    described = config(fusion="gated")
    model = capture(build_network(described))
    found = model.predict_on_batch(arrays(described, STEPS))
    axes = {name.removeprefix("attention."): model.sites[name].axes for name in found if name != "output"}
    for name in MODALITIES:
        assert axes[f"{name}_pooling"] == ("batch", "head", "key")
    assert axes["image_places"] == ("batch", "group", "head", "key")
    assert axes["fusion"] == ("batch", "modality", "channel")
    gates = np.asarray(found["attention.fusion"])
    np.testing.assert_allclose(gates.sum(axis=1), 1, atol=CLOSE)
    present = np.array([[name in steps for name in MODALITIES] for steps in STEPS])
    assert (gates[~present] == 0).all() and (gates[present] > 0).all()


@pytest.mark.parametrize("fusion", ["mult", "bottleneck"])
def test_attention_between_modalities_is_captured(fusion):
    described = vectors(fusion=fusion)
    found = capture(build_network(described), only="fusion*").predict_on_batch(arrays(described, STEPS))
    maps = [np.asarray(array) for name, array in found.items() if name != "output"]
    assert maps and all(array.ndim == 4 for array in maps)


@pytest.mark.parametrize(
    "changes",
    [
        {"pooling": "attentive_statistics"},
        {"pooling": "map_pooling"},
        {"attention": "multi_head", "sound_block": "transformer", "text_recurrent": "gru"},
        {"attention": {"name": "rotary", "normalizer": "entmax15"}, "picture_gate": "eca"},
        {"picture_gate": "none", "hidden": 0, "image_depth": 0, "audio_depth": 0, "text_depth": 0},
        {"fusion": {"name": "low_rank", "rank": 2}, "channels": 3},
    ],
    ids=str,
)
def test_any_part_may_be_another(changes):
    described = config(**changes)
    model, inputs = build_network(described), arrays(described, STEPS)
    together = answers(model, inputs)["logits"]
    alone = {name: array[3:4] for name, array in inputs.items()}
    np.testing.assert_allclose(answers(model, alone)["logits"], together[3:4], atol=CLOSE)


def talking(**changes):
    """Describe and build a network whose rows see each other, and make rows for it."""
    described = vectors(context="attention", **changes)
    steps = [{"image": 1, "audio": 2, "text": 1}] * 6
    return shaken(build_network(described)), arrays(described, steps)


def test_rows_see_their_own_conversation_and_no_other():
    model, inputs = talking()
    numbers = np.array([5, 5, 2, 5, 2, 9], "int32")
    together = answers(model, {**inputs, "conversation": numbers})["logits"]
    for number in set(numbers.tolist()):
        part = {name: array[numbers == number] for name, array in inputs.items()}
        part["conversation"] = np.full(len(part["text"]), 100 + number, "int32")
        np.testing.assert_allclose(answers(model, part)["logits"], together[numbers == number], atol=CLOSE)
    apart = answers(model, {**inputs, "conversation": np.arange(6, dtype="int32")})["logits"]
    changed = np.abs(apart - together).max(axis=1)
    assert changed[:5].min() > 1e-4 and changed[5] < CLOSE


def test_the_order_within_a_conversation_counts():
    model, inputs = talking()
    numbers = np.zeros(6, "int32")
    found = answers(model, {**inputs, "conversation": numbers})["logits"]
    turned = {name: array[::-1].copy() for name, array in inputs.items()}
    back = answers(model, {**turned, "conversation": numbers})["logits"][::-1]
    assert np.abs(back - found).max() > 1e-4


def test_a_causal_context_hides_what_comes_later():
    model, inputs = talking(causal=True, context_depth=2)
    inputs["conversation"] = np.array([1, 0, 1, 0, 1, 0], "int32")
    before = answers(model, inputs)["logits"]
    inputs["text"] = inputs["text"].copy()
    inputs["text"][3] += 1  # the second row of conversation 0
    changed = np.abs(answers(model, inputs)["logits"] - before).max(axis=1)
    assert changed[[3, 5]].min() > 1e-4 and changed[[0, 1, 2, 4]].max() < CLOSE


TASKS = {"intensity": ("normal", "strong"), "sex": ("female", "male")}


@pytest.mark.parametrize("sharing", ["shared", "specific", "fused"])
def test_each_task_has_its_answer_and_its_share_of_the_attention(sharing):
    described = vectors(tasks=TASKS, sharing=sharing)
    model = build_network(described)
    found = answers(model, arrays(described, STEPS))
    assert {name: value.shape[1] for name, value in found.items()} == {"logits": 3, "intensity": 2, "sex": 2}
    poolings = [layer.name for layer in model.layers if layer.name.endswith("text_pooling")]
    own = {"main_text_pooling", "intensity_text_pooling", "sex_text_pooling"}
    wanted = {"shared": {"text_pooling"}, "specific": own, "fused": {"shared_text_pooling", *own}}
    assert set(poolings) == wanted[sharing]
    assert [weight.path for weight in model.weights] == [weight.path for weight in build_network(described).weights]


def test_the_weights_of_tasks_are_learned_and_go_to_the_logarithm_of_each_loss():
    described = vectors(tasks=TASKS, modality_dropout=0.0, dropout=0.0, head_dropout=0.0)
    model, inputs = build_network(described), arrays(described, STEPS)
    layer = model.get_layer("task_weights")
    losses = {name: UncertainLoss(CrossEntropy(), layer, number) for number, name in enumerate(("logits", *TASKS))}
    truth = {"logits": np.array([0, 1, 2, 0, 1]), "intensity": np.array([0, 1, 0, 1, 1]), "sex": np.zeros(5, int)}
    for other in model.layers:
        other.trainable = other is layer
    plain = {name: float(CrossEntropy()(truth[name], answers(model, inputs)[name])) for name in truth}
    model.compile(keras.optimizers.SGD(0.3), losses)
    first = model.train_on_batch(inputs, truth, return_dict=True)
    assert first["loss"] == pytest.approx(sum(plain.values()), abs=1e-4)  # s is 0 at first
    for _ in range(60):
        model.train_on_batch(inputs, truth)
    learned = keras.ops.convert_to_numpy(layer.log_variance.value)
    np.testing.assert_allclose(np.exp(learned), [plain[name] for name in ("logits", *TASKS)], rtol=1e-3)


def test_given_weights_of_tasks_leave_the_layer_out():
    names = [layer.name for layer in build_network(vectors(tasks=TASKS, task_weights=(1, 0.5, 2))).layers]
    assert "task_weights" not in names


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fusion": "gate"}, "'gated'"),
        ({"fusion": {"name": "gated", "heads": 2}}, "heads"),
        ({"modalities": ("smell",)}, "smell"),
        ({"image": "pixels"}, "pixels"),
        ({"width": 15}, "multiple of heads"),
        ({"tasks": {"text_mood": ("a", "b")}}, "text_mood"),
        ({"tasks": {"sex": ("a",)}}, "at least two"),
        ({"tasks": ("sex",)}, "labels of task 'sex'"),
        ({"sharing": "fused"}, "tasks must be given"),
        ({"tasks": TASKS, "task_weights": (1, 2)}, "3 numbers"),
        ({"tasks": TASKS, "task_weights": "certainty"}, "uncertainty"),
        ({"context": "gru"}, "context"),
        ({"modality_dropout": 1.0}, "modality_dropout"),
        ({"labels": ()}, "labels must be known"),
        ({"modalities": ()}, "modalities must be known"),
        ({"audio": "features"}, "audio_features"),
    ],
    ids=str,
)
def test_what_cannot_work_is_said(changes, words):
    with pytest.raises(ZooError, match=words):
        build_network(config(**changes))


def test_a_config_survives_json():
    described = vectors(
        tasks=TASKS, sharing="fused", task_weights=(1.0, 0.5, 2.0), fusion={"name": "low_rank", "rank": 2}
    )
    told = described.to_dict()
    assert told["tasks"] == [["intensity", ["normal", "strong"]], ["sex", ["female", "male"]]]
    assert EmotionRecognizerConfig.from_dict(told) == described


@pytest.mark.parametrize(
    "changes", [{"fusion": "film", "context": "attention"}, {"tasks": TASKS, "sharing": "fused"}], ids=str
)
def test_a_network_is_built_anew_from_its_description(changes):
    described = config(**changes)
    model, inputs = shaken(build_network(described), by=0.1), arrays(described, STEPS)
    if described.context != "none":
        inputs["conversation"] = np.array([0, 1, 0, 2, 1], "int32")
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    for name, wanted in answers(model, inputs).items():
        np.testing.assert_allclose(answers(again, inputs)[name], wanted, atol=CLOSE)


EXPORTED = {
    "mult_context": {"fusion": "mult", "context": "attention"},
    "bottleneck": {"fusion": "bottleneck", "text_recurrent": "gru"},
    "co_attention": {"fusion": "co_attention"},
}


@pytest.mark.costly
def test_exported_graphs_say_the_same_also_of_rows_that_lack_something(tmp_path):
    requests = []
    for name, changes in EXPORTED.items():
        described = config(**changes)
        probes = [arrays(described, STEPS), arrays(described, [{"audio": 41, "text": 7}, {"image": 4}, {"text": 8}])]
        probes[1]["image"] = np.pad(probes[1]["image"], ((0, 0), (0, 1), (0, 0), (0, 0), (0, 0)))
        if described.context != "none":
            for probe, numbers in zip(probes, ([0, 1, 0, 2, 1], [1, 1, 0])):
                probe["conversation"] = np.array(numbers, "int32")
        model = shaken(build_network(described), by=0.1)
        requests.append(ExportRequest(model, tmp_path / name, probes, attention=name == "mult_context"))
    for outcome in export_many(requests):
        assert isinstance(outcome, Report), outcome
