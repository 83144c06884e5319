"""Rules: they begin by changing nothing, do what they say, learn, and are saved with the model."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.calibrate import RULES, AttentionBalancer, FaultRule, capture, collect, reweight, rule
from attention_zoo.calibrate.reweight import apply
from attention_zoo.core.tape import Seen, Site
from attention_zoo.export.together import Together
from attention_zoo.layers import InputFeeding, MultiHeadAttention
from attention_zoo.layers import get as get_layer
from attention_zoo.watch import MIX


def a_model():
    inputs = keras.Input((None, 8))
    vectors = MultiHeadAttention(2, 4, name="first")(inputs)
    vectors = MultiHeadAttention(2, 4, name="second")(vectors)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling1D()(vectors)))


def data(batch=4, length=9):
    return np.random.default_rng(0).normal(size=(batch, length, 8)).astype("float32")


def maps(rows=5, keys=6, heads=2):
    return np.random.default_rng(1).dirichlet(np.ones(keys), (2, heads, rows)).astype("float32")


def applied(one, weights=None, allowed=None):
    weights = maps() if weights is None else weights
    allowed = np.ones((1, 1, 1, 1), bool) if allowed is None else allowed
    return ops.convert_to_numpy(one(ops.convert_to_tensor(weights), ops.convert_to_tensor(allowed)))


def watched_answer(model, arrays):
    """Return what the model answers on the path that forms the map, as it does with rules."""
    return capture(model).predict(arrays, verbose=0)["output"]


@pytest.mark.parametrize("name", RULES)
def test_a_new_rule_changes_outputs_by_exactly_nothing(name):
    model, arrays = a_model(), data()
    found = reweight(model, name).predict(arrays, verbose=0)
    np.testing.assert_array_equal(found, watched_answer(model, arrays))


def test_all_new_rules_together_change_exactly_nothing():
    model, arrays = a_model(), data()
    found = reweight(model, list(RULES)).predict(arrays, verbose=0)
    np.testing.assert_array_equal(found, watched_answer(model, arrays))


def test_a_temperature_is_that_of_the_scores():
    scores = np.random.default_rng(0).normal(size=(1, 2, 4, 6)).astype("float32")
    soft = ops.convert_to_numpy(ops.softmax(scores, axis=-1))
    wanted = ops.convert_to_numpy(ops.softmax(scores / 2.5, axis=-1))
    np.testing.assert_allclose(applied(rule("temperature", initial=2.5), soft), wanted, atol=1e-6)


def test_each_head_may_have_a_temperature_of_its_own():
    found = applied(rule("temperature", initial=[1.0, 5.0]))
    np.testing.assert_array_equal(found[:, 0], maps()[:, 0])
    assert found[:, 1].max() < maps()[:, 1].max()


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (rule("weight_cap", maximum=0.3, strength=1.0), lambda found: found.max() <= 0.3 + 1e-6),
        (rule("floor", least=0.5, strength=1.0), lambda found: found.min() > 0.5 / 6 / 2),
        (rule("blend", strength=1.0), lambda found: np.allclose(found, 1 / 6)),
        (rule("logit_cap", cap=0.5, strength=1.0), lambda found: np.ptp(np.log(found), axis=-1).max() <= 1.0 + 1e-5),
    ],
    ids=["weight_cap", "floor", "blend", "logit_cap"],
)
def test_a_rule_at_full_strength_does_what_it_says_and_keeps_sums(one, holds):
    found = applied(one)
    assert holds(found)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


def test_a_diagonal_reference_prefers_near_places():
    found = applied(rule("blend", reference="diagonal", width=0.1, strength=1.0), maps(6, 6))
    assert (found.argmax(-1) == np.arange(6)).all()


def test_a_running_mean_remembers_what_it_was_shown():
    one = rule("blend", reference="mean", bins=6, strength=1.0)
    shown = maps(6, 6)
    applied(one, shown)
    one.settle(ops.convert_to_tensor(shown), np.ones((1, 1, 1, 1), bool))
    np.testing.assert_allclose(applied(one, maps(6, 6)), np.broadcast_to(shown.mean(0), shown.shape), atol=1e-5)


def test_hidden_keys_stay_hidden():
    allowed = np.ones((2, 1, 1, 6), bool)
    allowed[..., 4:] = False
    weights = np.where(allowed, maps(), 0)
    for name in ("temperature", "weight_cap", "floor", "blend", "logit_cap", "balancer"):
        options = {"temperature": {"initial": 3.0}, "balancer": {"low": 0.9}}.get(name, {"strength": 0.7})
        assert (applied(rule(name, **options), weights, allowed)[..., 4:] == 0).all(), name


def test_a_repair_touches_broken_rows_alone():
    weights = maps()
    weights[0, 0, 2, 3] = np.nan
    found = applied(rule("repair"), weights)
    np.testing.assert_allclose(found[0, 0, 2], 1 / 6, atol=1e-6)
    fine = np.isfinite(weights).all(-1)
    np.testing.assert_array_equal(found[fine], weights[fine])


@pytest.mark.parametrize(("low", "high"), [(0.9, 0.95), (0.2, 0.3), (0.0, 1.0)])
def test_a_balancer_holds_entropy_in_its_band(low, high):
    found = applied(AttentionBalancer(low, high))
    entropy = -(found * np.log(np.maximum(found, 1e-30))).sum(-1).mean(-1) / np.log(6)
    if (low, high) == (0.0, 1.0):
        np.testing.assert_array_equal(found, maps())
    else:
        assert (entropy >= low - 0.01).all() and (entropy <= high + 0.01).all()
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


def test_a_balancer_opens_a_head_that_has_collapsed_on_one_key():
    weights = np.zeros((2, 2, 5, 6), "float32")
    weights[..., 3] = 1
    found = applied(AttentionBalancer(0.6, 0.9), weights)
    assert found[..., 3].max() < 0.9
    assert (found.argmax(-1) == 3).all()


def test_of_signed_maps_rules_see_magnitudes_and_leave_the_signs():
    random = np.random.default_rng(2)
    weights = maps() * random.choice([-1.0, 1.0], size=maps().shape).astype("float32")
    seen = Seen("site", Site("site", "mix", ("batch", "head", "query", "key")), ops.convert_to_tensor(weights))

    def after(one):
        one.build(weights.shape)
        return ops.convert_to_numpy(apply([one], seen))

    np.testing.assert_array_equal(after(rule("temperature")), weights)
    np.testing.assert_array_equal(after(rule("balancer")), weights)
    hot = after(rule("temperature", initial=3.0))
    np.testing.assert_array_equal(np.sign(hot), np.sign(weights))
    np.testing.assert_allclose(np.abs(hot), applied(rule("temperature", initial=3.0)), atol=1e-6)


def test_rules_are_for_the_sites_of_their_glob():
    changed = reweight(a_model(), {"sec*": "temperature"})
    assert list(changed.applied) == ["second"]


def test_only_rules_learn_where_the_model_is_frozen():
    model = a_model()
    model.trainable = False
    changed = reweight(model, ["temperature", "head_gate"])
    assert [weight.shape for weight in changed.trainable_weights] == [(1, 2, 1, 1)] * 4
    changed.compile(keras.optimizers.Adam(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [ops.convert_to_numpy(weight) for weight in model.weights]
    changed.fit(data(), np.array([0, 1, 2, 0]), epochs=2, verbose=0)
    for weight, value in zip(model.weights, before):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)
    assert all(
        np.abs(ops.convert_to_numpy(one.weights[0]) - start).max() > 0
        for one, start in zip(changed.rules, [0, 1, 0, 1])
    )


def test_a_model_with_rules_is_saved_and_loaded(tmp_path):
    arrays = data()
    changed = reweight(a_model(), {"first": rule("temperature", initial=[2.0, 0.5]), "*": rule("blend", strength=0.3)})
    wanted = changed.predict(arrays, verbose=0)
    changed.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(arrays, verbose=0), wanted, atol=1e-6)
    assert list(again.applied) == ["first", "second"]


def test_who_watches_sees_what_the_rules_have_made():
    model, arrays = a_model(), data()
    changed = reweight(model, {"first": rule("blend", strength=0.5)})
    found, plain = (capture(one).predict(arrays, verbose=0)["attention.first"] for one in (changed, model))
    np.testing.assert_allclose(found, 0.5 * plain + 0.5 / 9, atol=1e-6)


def test_models_share_rules_also_when_they_are_saved_together(tmp_path):
    model, arrays = a_model(), data()
    whole = reweight(model, {"first": rule("temperature", initial=[2.0, 0.5]), "*": rule("blend", strength=0.3)})
    part = whole.over(keras.Model(model.input, model.get_layer("first").output))
    before = part.predict(arrays, verbose=0)
    whole.applied["first"][0].log_temperature.assign(np.full((1, 2, 1, 1), 1.5))
    wanted = [one.predict(arrays, verbose=0) for one in (whole, part)]
    assert np.abs(wanted[1] - before).max() > 1e-4
    Together({"whole": whole, "part": part}).save(tmp_path / "both.keras")
    again = keras.models.load_model(tmp_path / "both.keras").parts
    assert all(one is other for one, other in zip(again["whole"].rules, again["part"].rules, strict=True))
    for name, values in zip(("whole", "part"), wanted):
        np.testing.assert_allclose(again[name].predict(arrays, verbose=0), values, atol=1e-6)


def test_rules_act_inside_the_loop_of_a_recurrent_decoder_and_who_watches_sees_that():
    query, memory = keras.Input((None, 8)), keras.Input((None, 8))
    model = keras.Model([query, memory], InputFeeding(6, "gru", name="decoder")(query, memory))
    arrays = [data(2, 4), 3 * data(2, 7)]
    plain, changed = (capture(one).predict(arrays, verbose=0) for one in (model, reweight(model, FaultRule("flat"))))
    np.testing.assert_allclose(changed["attention.decoder"], 1 / 7, atol=1e-6)
    assert np.abs(changed["output"] - plain["output"]).max() > 1e-4


def test_gates_take_only_rules_that_are_for_them():
    inputs = keras.Input((6, 8))
    model = keras.Model(inputs, get_layer("feature_softmax_gate")(inputs))
    with pytest.raises(ValueError, match="TemperatureRule is a rule for maps that mix"):
        reweight(model, "temperature")
    half = reweight(model, rule("head_gate", initial=0.5)).predict(data(2, 6), verbose=0)
    np.testing.assert_allclose(half, 0.5 * model.predict(data(2, 6), verbose=0), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "statistic", "least", "most"),
    [
        ("collapsed", "entropy", 0.0, 1e-5),
        ("flat", "entropy", 0.9999, 1.0001),
        ("sink", "sink", 0.9, 1.0001),
        ("dead", "mass", 0.0, 1e-6),
    ],
)
def test_a_fault_breaks_the_heads_that_it_is_told_to(kind, statistic, least, most):
    model, arrays = a_model(), data()
    clean, broken = collect(model, arrays), collect(reweight(model, {"first": FaultRule(kind, [1])}), arrays)
    values = broken["first"][..., MIX.index(statistic)]
    assert (values[:, 1] >= least).all() and (values[:, 1] <= most).all()
    entropy = MIX.index("entropy")
    np.testing.assert_allclose(broken["first"][:, 0, entropy], clean["first"][:, 0, entropy], atol=1e-6)


def test_poison_and_a_shift_are_faults_too():
    model, arrays = a_model(), data()
    assert np.isnan(collect(reweight(model, {"first": FaultRule("nan", [0])}), arrays)["first"][:, 0]).any()
    offset = MIX.index("offset")
    clean = collect(model, arrays)["first"][..., offset]
    moved = collect(reweight(model, {"first": FaultRule("shifted")}), arrays)["first"][..., offset]
    assert np.abs(clean - moved).max() > 1e-3


def test_a_balancer_mends_a_flat_head_nearly_to_its_band_and_a_repair_mends_poison():
    model, arrays = a_model(), data()
    broken = reweight(model, {"first": FaultRule("nan", [0])})
    assert np.isnan(broken.predict(arrays, verbose=0)).any()
    assert np.isfinite(reweight(broken, "repair").predict(arrays, verbose=0)).all()


def test_wrong_arguments_are_told():
    model = a_model()
    with pytest.raises(ValueError, match="rule 'temprature' is unknown; the nearest names are 'temperature'"):
        reweight(model, "temprature")
    with pytest.raises(
        ValueError, match=r"rules must be for sites of the model, got 'third'; its sites are \['first', 'second'\]"
    ):
        reweight(model, {"third": "temperature"})
    with pytest.raises(TypeError, match="rule must be a Rule or a name, got int"):
        reweight(model, [3])
    with pytest.raises(ValueError, match=r"strength must be within 0 and 1 .*, got 2"):
        rule("blend", strength=2)
    with pytest.raises(ValueError, match="strength must be one number or one for each of 2 heads"):
        reweight(model, rule("blend", strength=[0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match=r"heads must be within 0 and 1, got \[2\]"):
        reweight(model, FaultRule("flat", [2]))
    with pytest.raises(ValueError, match="fault 'colapsed' is unknown"):
        FaultRule("colapsed")
