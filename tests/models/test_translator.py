"""The translator: what it learns, how it searches, what it says to bad input, and what is read back elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from inspected import check_faithfulness, check_statistics, check_watched, quick

import attention_zoo as az
from attention_zoo import data, runtime
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.models.translator import Translator, TranslatorConfig

ROOT = Path(__file__).parents[2]
WORDS = {
    "one": "Eins", "two": "zwei", "three": "drei", "four": "vier", "red": "rot", "blue": "blau", "dog": "Hund",
    "cat": "Katze", "sees": "sieht", "eats": "frisst", "and": "und", "the": "die",
}  # fmt: skip
NETWORKS = {
    "transformer": {"width": 32, "depth": 1, "heads": 2, "feed_forward": 64, "max_length": 32},
    "recurrent": {"network": "recurrent", "width": 32, "units": 32, "max_length": 32},
}
KINDS = pytest.mark.parametrize("kind", list(NETWORKS))


def pairs(count, seed=0):
    """Make sentences of two to five different words, and their translations word by word."""
    generator, names = np.random.default_rng(seed), list(WORDS)
    sources = [" ".join(generator.choice(names, generator.integers(2, 6), replace=False)) for _ in range(count)]
    return sources, [" ".join(WORDS[word] for word in source.split()) for source in sources]


@pytest.fixture(scope="module")
def trained():
    """Return a function that trains each network once."""
    kept = {}

    def get(kind):
        if kind not in kept:
            task = Translator.new(vocabulary_size=400, dropout=0.0, **NETWORKS[kind])
            history = task.fit(
                pairs(400), pairs(40, seed=1), epochs=20, batch_size=32, learning_rate=1e-2, progress=False
            )
            kept[kind] = (task, history)
        return kept[kind]

    return get


@KINDS
def test_it_learns_to_translate(trained, kind):
    task, history = trained(kind)
    assert history["val_loss"][-1] < 0.3 * history["val_loss"][0]
    sources, targets = pairs(40, seed=2)
    right = [found.text == target for found, target in zip(task.translate(sources), targets)]
    assert np.mean(right) > 0.5
    measures = task.evaluate((sources, targets), beam=1)
    assert measures["bleu"] > 50 and measures["bleu_signature"].startswith("nrefs:1")


@KINDS
def test_a_batch_says_what_each_text_says_alone(trained, kind):
    task, _ = trained(kind)
    sources = [*pairs(6, seed=3)[0], "one", ""]
    for beam in (1, 3):
        together = task.translate(sources, beam=beam, nbest=beam)
        alone = [task.translate(source, beam=beam, nbest=beam)[0] for source in sources]
        assert [found.text for found in together] == [found.text for found in alone]
        np.testing.assert_allclose([a.score for a in together], [b.score for b in alone], atol=1e-4)
        assert all(len(found.others) == beam - 1 for found in together)
        assert together[-1].text == ""


@KINDS
def test_each_step_of_the_search_is_the_likeliest_of_the_whole_network(trained, kind):
    task, _ = trained(kind)
    source = pairs(1, seed=4)[0][0]
    ids = task.preprocessor([source])["source_ids"]
    said = [2]
    for _ in range(20):
        logits = task.model.predict_on_batch({"source_ids": ids, "target_ids": np.array([said], np.int32)})
        scores = np.asarray(logits)[0, -1]
        scores[:3] = -np.inf
        said.append(int(scores.argmax()))
        if said[-1] == 3:
            break
    assert task.translate(source, beam=1)[0].text == task.preprocessor.decode(said)


@KINDS
def test_what_was_saved_translates_the_same(trained, kind, tmp_path):
    task, _ = trained(kind)
    folder = task.save(tmp_path / "mine", description="a test", licence="research use", permissive=False)
    with pytest.warns(UserWarning, match="not for every use"):
        again = az.load(folder)
    sources = pairs(8, seed=5)[0]
    assert again.translate(sources) == task.translate(sources)
    assert again.config == task.config and again.card.trained
    assert json.loads((folder / "config.json").read_text())["network"]["network"] == kind


@KINDS
def test_an_explanation_has_a_row_for_each_written_piece(trained, kind, tmp_path):
    task, _ = trained(kind)
    source = "the red dog sees one cat"
    found = task.explain(source)
    assert found.target == task.translate(source)[0].text
    assert found.weights.shape == (len(found.rows), len(found.columns))
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=1e-4)
    sites = {"transformer": "decoder/block_1/cross_attention", "recurrent": "decoder/cell/alignment"}
    assert found.sides[sites[kind]] == ("target", "source")
    for name in ("why.png", "why.html", "why.json"):
        assert found.save(tmp_path / name).stat().st_size > 1000
    given = task.explain(source, "Katze Eins")
    assert given.target == "Katze Eins" and given.score is None


def test_attention_finds_the_word_that_is_translated(trained):
    task, _ = trained("recurrent")
    sources, targets = pairs(30, seed=6)
    right = total = 0
    for source, target in zip(sources, targets):
        if len(set(source.split())) < len(source.split()):
            continue
        for link in task.explain(source, target).links():
            total += 1
            right += WORDS[link.source.strip()] == link.target.strip()
    assert right > 0.5 * total > 10


def test_a_long_text_is_translated_in_parts_and_this_is_said(trained):
    task, _ = trained("transformer")
    task.preprocessor._has_warned = False
    with pytest.warns(UserWarning, match="split into"):
        found = task.translate("the dog sees one cat. " * 40, beam=1)
    assert len(found) == 1 and len(found[0].text.split()) > 100


def test_training_goes_on_where_it_was(trained, tmp_path):
    task, _ = trained("transformer")
    more = Translator.load(task.save(tmp_path / "mine"))
    history = more.fit(pairs(64, seed=7), epochs=1, batch_size=32, learning_rate=1e-4, progress=False)
    assert history["loss"][0] < 1.0
    assert more.card.metrics == {} and more.card.trained


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam": 0}, "beam must be"),
        ({"nbest": 3, "beam": 2}, "nbest must be at most beam"),
        ({"length_penalty": -1}, "length_penalty must be"),
        ({"max_length": 0}, "max_length must be"),
        ({"beams": 3}, "beam"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"temperature": 0.5}, "temperature is for sampling"),
        ({"sampler": "greedy", "beam": 2}, "beam must be left out beside a sampler"),
        ({"sampler": "greedy", "nbest": 2}, "nbest must be left out beside a sampler"),
    ],
)
def test_a_search_that_cannot_work_is_refused(trained, options, words):
    with pytest.raises(ZooValueError, match=words):
        trained("transformer")[0].translate("one", **options)


@KINDS
def test_a_sampler_of_keras_hub_chooses_the_pieces(trained, kind):
    pytest.importorskip("keras_hub", reason="keras-hub is not installed (extra 'hub')")
    task, _ = trained(kind)
    sources = pairs(6, seed=9)[0]
    found = task.translate(sources, sampler="greedy", max_length=12)
    wanted = task.translate(sources, beam=1, max_length=12)
    assert [each.text for each in found] == [each.text for each in wanted]
    np.testing.assert_allclose([each.score for each in found], [each.score for each in wanted], atol=1e-3)
    with pytest.raises(ZooValueError, match="sampler 'greed' is unknown"):
        task.translate(sources, sampler="greed")


def test_what_is_no_text_is_refused(trained):
    task, _ = trained("transformer")
    with pytest.raises(ZooTypeError):
        task.translate([3])
    with pytest.raises(ZooValueError):
        task.translate([])
    with pytest.raises(ZooValueError, match="UTF-8"):
        task.translate(b"\xff\xfe")
    with pytest.raises(ZooValueError, match="text must hold"):
        task.explain(" ")


def test_strange_text_is_translated_all_the_same(trained):
    task, _ = trained("transformer")
    strange = ["\x00\x07one", "狗看见猫", "🐶🐱", "one\ttwo\r\nthree", "  "]
    found = task.translate(strange, beam=1, max_length=16)
    assert len(found) == 5 and found[-1].text == ""


def test_data_that_do_not_fit_are_refused():
    task = Translator.new(**NETWORKS["transformer"])
    with pytest.raises(ZooValueError, match="3 sources and 2 targets"):
        task.fit((["a", "b", "c"], ["a", "b"]))
    with pytest.raises(ZooValueError, match="'source' and 'target'"):
        task.fit(data.load("clinc150", sample=True))
    with pytest.raises(ZooTypeError, match="data must be"):
        task.fit(3)
    with pytest.raises(ZooValueError, match="balance must be left out"):
        task.fit(pairs(4), balance=1.0)
    with pytest.raises(ZooValueError, match="has seen no data"):
        task.translate("one")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": "rnn"}, "network"),
        ({"width": 30, "heads": 4}, "multiple of heads"),
        ({"shared": "all", "joint": False}, "shared must be"),
        ({"network": "recurrent", "decoder_attention": "rotary"}, "decoder_attention"),
        ({"scheduled_sampling": 0.5}, "scheduled_sampling"),
        ({"attention": 3}, "attention must be a name"),
        ({"dropout": 1.5}, "dropout"),
        ({"wdith": 3}, "width"),
    ],
)
def test_a_config_that_cannot_work_is_refused(change, words):
    with pytest.raises((ZooValueError, ZooTypeError), match=words):
        TranslatorConfig.of(**change)


def test_attention_that_cannot_go_step_by_step_is_named():
    with pytest.raises(ZooValueError, match="linformer"):
        Translator.new(*pairs(40), attention="multi_head", decoder_attention="linformer", **NETWORKS["transformer"])


@pytest.mark.parametrize("attention", ["rotary", "grouped_query", "alibi"])
def test_any_attention_that_steps_is_a_decoders(attention):
    task = Translator.new(*pairs(40), attention=attention, **NETWORKS["transformer"])
    assert len(task.translate(["one two", "three"], beam=2, max_length=6)) == 2


@pytest.mark.parametrize("change", [{"shared": "target"}, {"shared": "none", "joint": False}, {"norm": "post"}])
def test_tables_may_be_shared_or_not(change):
    task = Translator.new(*pairs(60), **NETWORKS["transformer"], **change)
    history = task.fit(pairs(60), epochs=1, batch_size=32, progress=False)
    assert np.isfinite(history["loss"][0])
    again = task.build(task.config)
    assert [weight.path for weight in again.weights] == [weight.path for weight in task.model.weights]


def test_half_precision_trains_and_translates():
    task = Translator.new(*pairs(64), dtype="mixed_bfloat16", **NETWORKS["transformer"])
    history = task.fit(pairs(64), epochs=1, batch_size=32, progress=False)
    assert np.isfinite(history["loss"][0])
    assert np.isfinite(task.translate("one two", max_length=8)[0].score)
    assert keras.config.dtype_policy().name == "float32"


@KINDS
def test_an_export_translates_as_the_task_without_keras(trained, kind, tmp_path):
    task, _ = trained(kind)
    report = task.export(tmp_path / "out", format="onnx", attention="statistics")
    assert report.differences["onnx"] < 1e-4
    runner = runtime.load(tmp_path / "out")
    if kind == "transformer":
        check_watched(runner, "encoder", task, pairs(6, seed=8)[0])
    sources = [*pairs(6, seed=8)[0], "", "one"]
    for options in ({"beam": 1}, {"beam": 4, "nbest": 2}, {"sample": True, "seed": 3}):
        wanted, found = task.translate(sources, **options), runner.translate(sources, **options)
        assert [one.text for one in found] == [one.text for one in wanted]
        np.testing.assert_allclose([one.score for one in found], [one.score for one in wanted], atol=1e-3)


@pytest.mark.costly
def test_a_saved_model_searches_inside_its_graph(trained, tmp_path):
    task, _ = trained("transformer")
    task.export(tmp_path / "out", format="savedmodel")
    sources = pairs(5, seed=9)[0]
    ids = task.preprocessor(sources)["source_ids"]
    program = (
        "import sys, json, numpy, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1]); ids = numpy.load(sys.argv[2])\n"
        "answers = {name: model.signatures[name](source_ids=tf.constant(ids))['token_ids'].numpy()[:, 0].tolist()\n"
        "           for name in ('translate', 'greedy')}\n"
        "print(json.dumps(answers))"
    )
    np.save(tmp_path / "ids.npy", ids)
    command = [sys.executable, "-c", program, str(tmp_path / "out" / "savedmodel"), str(tmp_path / "ids.npy")]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    for name, beam in (("translate", task.config.beam), ("greedy", 1)):
        wanted = [found.text for found in task.translate(sources, beam=beam)]
        assert [task.preprocessor.decode(row) for row in told[name]] == wanted


@pytest.mark.costly
@KINDS
def test_other_backends_say_the_same(trained, kind, tmp_path):
    task, _ = trained(kind)
    folder, sources = task.save(tmp_path / "mine"), pairs(8, seed=10)[0]
    wanted = [found.text for found in task.translate(sources)]
    program = (
        "import sys, json; from attention_zoo import load\n"
        "print(json.dumps([found.text for found in load(sys.argv[1]).translate(json.loads(sys.argv[2]))]))"
    )
    for backend in {"tensorflow", "jax", "torch"} - {keras.backend.backend()}:
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-c", program, str(folder), json.dumps(sources)]
        child = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert json.loads(child.stdout.splitlines()[-1]) == wanted


def test_a_damaged_preset_is_named(trained, tmp_path):
    folder = trained("transformer")[0].save(tmp_path / "mine")
    (folder / "preprocessor" / "tokenizer.json").write_text("{}")
    with pytest.raises(ZooFileError):
        Translator.load(folder)


@KINDS
def test_statistics_come_in_the_order_of_the_texts(trained, kind):
    with quick(trained(kind)[0]) as task:
        check_statistics(task, pairs(5, seed=4)[0])


@KINDS
def test_explanations_are_judged_by_hiding_source_tokens(trained, kind):
    check_faithfulness(trained(kind)[0], "the red dog sees two", "und und und")
