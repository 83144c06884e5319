"""Rules of attention in every family: they act in whatever answers, are kept, and refused where they cannot act."""

import keras
import numpy as np
import pytest

import attention_zoo as az
from attention_zoo.audio import Sound
from attention_zoo.blocks.decode import decode
from attention_zoo.calibrate import RULES, FaultRule, rule
from attention_zoo.data import synthetic_interactions
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.models.recommender import Recommender
from attention_zoo.models.speech_recognizer import SpeechRecognizer
from attention_zoo.models.translator import Translator
from attention_zoo.recsys import Histories
from attention_zoo.search import BOS_ID, EOS_ID, Decoding

WORDS = ("one", "two", "three", "red", "blue", "dog", "cat", "sees", "eats", "and", "the")
RATE = 8000
# By a rule of each kind that acts row by row; its strength makes it tell.
STRONG = {
    "temperature": {"initial": 4.0},
    "weight_cap": {"maximum": 0.3, "strength": 0.8},
    "logit_cap": {"cap": 0.5, "strength": 0.8},
    "floor": {"least": 0.5, "strength": 0.8},
    "head_gate": {"initial": 0.3},
    "blend": {"strength": 0.8},
}
NETWORKS = {
    "transformer": {"width": 16, "depth": 1, "heads": 2, "feed_forward": 32, "max_length": 16},
    "recurrent": {"network": "recurrent", "width": 16, "units": 16, "depth": 1, "max_length": 16},
    "conformer": {"decoder_depth": 0},
    "conformer_decoder": {"decoder_depth": 1},
    "las": {"network": "las", "depth": 2, "cell": "gru"},
    "streaming": {"network": "streaming", "chunk": 4, "left": 2},
    "sasrec": {},
    "din": {"attention": {"name": "din", "units": [8]}},
}
TRANSLATORS, RECOMMENDERS = ("transformer", "recurrent"), ("sasrec", "din")
STEPPING = ("transformer", "recurrent", "conformer_decoder", "las")
KINDS = pytest.mark.parametrize("kind", list(NETWORKS))
SEARCHES = pytest.mark.parametrize("kind", STEPPING)


def texts(count=24):
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, generator.integers(2, 6), replace=False)) for _ in range(count)]


def sounds(count=3):
    generator = np.random.default_rng(1)
    return [Sound(generator.normal(size=4000 + 1500 * place).astype("float32") * 0.1, RATE) for place in range(count)]


def new(kind):
    """Make a task with new weights, larger than usual so that attention tells."""
    if kind in TRANSLATORS:
        task = Translator.new(texts(), texts(), vocabulary_size=270, dropout=0.0, **NETWORKS[kind])
    elif kind in RECOMMENDERS:
        sizes = {"network": kind, "width": 16, "length": 12, "candidates": 8, "ranker_units": 8}
        task = Recommender.new(synthetic_interactions(40, 24)["train"]["history"], **sizes, **NETWORKS[kind])
    else:
        sizes = {
            "width": 16,
            "depth": 1,
            "heads": 2,
            "feed_forward": 32,
            "kernel_size": 5,
            "mels": 16,
            "max_length": 12,
        }
        task = SpeechRecognizer.new(sounds(), ["abc ab", "ba c", "cab"], **{**sizes, **NETWORKS[kind]})
    generator, noise = np.random.default_rng(2), 0.1 if kind in RECOMMENDERS else 0.3
    for weight in task.model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(weight + noise * generator.normal(size=weight.shape).astype("float32"))
    return task


def unchanging(kind):
    """Return all rules that a network takes, as they begin."""
    rules = [name for name in RULES if name not in ("balancer", "repair")]
    if kind == "streaming":  # where a gate, too, is made step by step, and a repair asks for all of it
        return {"*": rules, "*attention": "repair"}
    return [*rules, "repair"] if kind in STEPPING else list(RULES)


def real(kind):
    """Return rules that change maps."""
    return [rule("head_gate", initial=0.5), rule("temperature", initial=2.5)]


def answers(task):
    """Return numbers that all of the task's ways to answer give."""
    if isinstance(task, Translator):
        found = [task.translate(texts(3), beam=beam, nbest=beam, max_length=8) for beam in (1, 3)]
        return np.array([one.score for told in found for one in told])
    if isinstance(task, Recommender):
        known = task.preprocessor.index.ids
        told = [each.score for one in task.recommend([known[:3], known[4:2:-1]], k=3) for each in one.suggestions]
        return np.array([*task.ranking.scores(Histories.of([[1, 2, 3], [5, 4]]))[:, 1:].ravel(), *told])
    rows = task.preprocessor.rows(sounds())[0]
    found = [np.concatenate([one.ravel() for one in task.listener.chances(rows, 2)])]
    found.append([one.score for one in task.transcribe(sounds(), beam=2, nbest=2, ctc_weight=0.3)])
    if task.config.network == "streaming":
        step, probe = task.listener.stepping, task.listener.step.probes(2)[0]
        found.append(np.asarray(step.predict_on_batch(probe)["ctc"]).ravel())
    return np.concatenate(found)


@pytest.fixture(scope="module")
def made():
    """Return a function that makes each task once and hands it out without rules."""
    kept = {}

    def get(kind):
        if kind not in kept:
            kept[kind] = new(kind)
        return kept[kind].reweight(None)

    return get


@KINDS
def test_rules_as_they_begin_change_no_answer_at_all(made, kind):
    task = made(kind)
    plain = answers(task)
    # Without any rule, but on the path that forms maps.
    wanted = answers(task.reweight({}))
    np.testing.assert_array_equal(answers(task.reweight(unchanging(kind))), wanted)
    np.testing.assert_allclose(wanted, plain, atol=1e-3)
    np.testing.assert_array_equal(answers(task.reweight(None)), plain)


@KINDS
def test_rules_change_answers_and_so_do_their_numbers_afterwards(made, kind):
    task = made(kind)
    plain = answers(task)
    changed = answers(task.reweight(rule("head_gate", initial=0.2)))
    assert np.abs(changed - plain).max() > 1e-3
    for one in task.model.rules:
        one.factor.assign(np.ones(one.factor.shape))
    np.testing.assert_allclose(answers(task), plain, atol=1e-3)


@pytest.mark.parametrize("names", [("temperature",), ("head_gate",), tuple(STRONG)], ids=["sharp", "gated", "all"])
@SEARCHES
def test_a_search_step_by_step_is_worth_what_the_network_says_of_it_at_once(made, kind, names):
    task = made(kind).reweight([rule(name, **STRONG[name]) for name in names])
    settings = Decoding(beam=3, max_length=7, length_penalty=0.0)
    if kind in TRANSLATORS:
        ids = task.preprocessor(texts(3))["source_ids"]
        inputs = {"source_ids": ids}
        told = decode(task._generator(settings), [row[row != 0] for row in ids])
    else:
        inputs = task.preprocessor(sounds())
        rows = [row[:count] for row, count in zip(inputs["features"], inputs["frames"])]
        told = decode(task.listener.generator(settings), rows, arrays=task.preprocessor.arrays)
    said = np.concatenate([np.full((3, 1), BOS_ID), told["token_ids"][:, 0]], axis=1)
    found = task.model.predict_on_batch({**inputs, "target_ids": said.astype("int32")})
    logits = np.asarray(found["tokens"] if isinstance(found, dict) else found, np.float64)
    chances = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    for row, length in enumerate(told["lengths"][:, 0]):
        ended = [EOS_ID] if length < settings.max_length else []
        ids = [*said[row, 1 : length + 1], *ended]
        wanted = chances[row, np.arange(len(ids)), ids].sum()
        np.testing.assert_allclose(told["sums"][row, 0], wanted, atol=2e-3)


def test_a_stream_hears_what_the_whole_sound_says_with_rules(made):
    task = made("streaming").reweight([rule(name, **options) for name, options in STRONG.items()])
    listener, arrays = task.listener, task.preprocessor(sounds(1))
    size = listener.step.encoder.frames
    arrays["features"] = np.pad(arrays["features"], ((0, 0), (0, -arrays["features"].shape[1] % size), (0, 0)))
    wanted = np.asarray(listener.ctc.predict_on_batch(arrays)["ctc"])
    state, left, found = listener.step.start(1), int(arrays["frames"][0]), []
    for start in range(0, arrays["features"].shape[1], size):
        part = {"features": arrays["features"][:, start : start + size], "frames": np.array([np.clip(left, 0, size)])}
        told = listener.stepping.predict_on_batch({**part, **state})
        state, left = listener.step.carry(told), left - size
        found.append(np.asarray(told["ctc"]))
    steps = -(-int(arrays["frames"][0]) // listener.factor)
    np.testing.assert_allclose(np.concatenate(found, axis=1)[:, :steps], wanted[:, :steps], atol=1e-4)


@KINDS
def test_what_was_saved_answers_with_its_rules(made, kind, tmp_path):
    task = made(kind).reweight(real(kind))
    for one in task.model.rules:
        one.weights[0].assign(one.weights[0] + 0.1)
    wanted = answers(task)
    again = type(task).load(task.save(tmp_path / "mine"))
    np.testing.assert_allclose(answers(again), wanted, atol=1e-5)
    assert list(again.model.applied) == list(task.model.applied)


@pytest.mark.parametrize("kind", ["transformer", "recurrent", "las"])
def test_explanations_show_maps_as_rules_leave_them(made, kind):
    task = made(kind)
    asked = (texts(1)[0], "two red") if kind in TRANSLATORS else (sounds(1)[0], "ab")
    assert np.ptp(task.explain(*asked).weights, axis=1).max() > 1e-3
    found = task.reweight({"decoder*": FaultRule("flat")}).explain(*asked)
    np.testing.assert_allclose(found.weights, 1 / found.weights.shape[1], atol=1e-5)


@pytest.mark.parametrize("kind", ["transformer", "recurrent", "conformer_decoder", "streaming", "sasrec", "din"])
def test_a_training_goes_through_the_rules_and_teaches_them(kind):
    task = new(kind).reweight({"*": rule("temperature", initial=2.0)})
    before = [keras.ops.convert_to_numpy(one.log_temperature) for one in task.model.rules]
    data = synthetic_interactions(40, 24)["train"] if kind in RECOMMENDERS else (texts(), texts())
    data = (sounds(), ["abc ab", "ba c", "cab"]) if isinstance(task, SpeechRecognizer) else data
    task.fit(data, False, epochs=1, batch_size=8, progress=False)
    after = [keras.ops.convert_to_numpy(one.log_temperature) for one in task.model.rules]
    assert before and all(np.abs(one - other).max() > 0 for one, other in zip(before, after))


def test_rules_stay_where_a_recommender_learns_new_items(made):
    task = new("sasrec").reweight(FaultRule("flat"))
    rules = list(task.model.rules)
    task.fit([[*task.preprocessor.index.ids[:3], "new"]] * 4, False, epochs=1, progress=False)
    assert all(one is other for one, other in zip(task.model.rules, rules, strict=True))
    assert "new" in task.preprocessor.index and task.recommend(["new"], k=2)[0].items


def test_rules_that_a_step_cannot_follow_are_refused(made, tmp_path):
    task = made("transformer").reweight({"encoder*": ["balancer", rule("blend", reference="diagonal")]})
    kept = task.model
    for bad in ("balancer", rule("blend", reference="mean"), FaultRule("collapsed")):
        with pytest.raises(
            ZooValueError, match=r"rules for 'decoder.block_1.self_attention' must change each row .*got"
        ):
            task.reweight(bad)
    with pytest.raises(ZooValueError, match=r"rules for 'encoder.*step by step; got AttentionBalancer"):
        made("streaming").reweight("balancer")
    assert task.model is kept
    folder = task.save(tmp_path / "mine")
    text = (folder / "rules.json").read_text().replace("encoder*", "*")
    (folder / "rules.json").write_text(text)
    (folder / "card.json").unlink()
    with pytest.raises(ZooFileError, match=r"rules\.json is damaged: rules for 'decoder"):
        Translator.load(folder)


def test_rules_are_refused_where_a_step_makes_no_map():
    task = Translator.new(texts(), texts(), vocabulary_size=270, decoder_attention="linear", **NETWORKS["transformer"])
    with pytest.raises(ZooValueError, match="rules must be for maps that each step makes too, got one for 'decoder"):
        task.reweight("temperature")
    assert task.reweight({"*cross_attention": "temperature"}).translate("two", max_length=3)


def exported(task, folder):
    """Return the answers of the runtime with an export, and those of the task."""
    task.export(folder, format="onnx" if isinstance(task, Translator) else ("onnx", "savedmodel"))
    runner = az.runtime.load(folder)
    if isinstance(task, Translator):
        wanted, found = (one.translate(texts(4), beam=3, max_length=8) for one in (task, runner))
    elif isinstance(task, Recommender):
        known = task.preprocessor.index.ids
        wanted, found = (one.recommend([known[:3], known[4:2:-1]], k=4) for one in (task, runner))
        assert [one.items for one in found] == [one.items for one in wanted]
        return tuple([each.score for one in told for each in one.suggestions] for told in (found, wanted))
    else:
        wanted, found = (one.transcribe(sounds(), beam=2) for one in (task, runner))
    assert [one.text for one in found] == [one.text for one in wanted]
    return [one.score for one in found], [one.score for one in wanted]


@pytest.mark.parametrize(
    "kind",
    ["transformer", *[pytest.param(kind, marks=pytest.mark.costly) for kind in NETWORKS if kind != "transformer"]],
)
def test_an_export_answers_with_the_rules(made, kind, tmp_path):
    task = made(kind)
    plain = answers(task)
    task.reweight(real(kind))
    assert np.abs(answers(task) - plain).max() > 1e-4
    found, wanted = exported(task, tmp_path / "out")
    np.testing.assert_allclose(found, wanted, atol=2e-3)
