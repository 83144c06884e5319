"""The recognizer: what it learns, how it searches, what it says to bad input, and what is read back elsewhere."""

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
from attention_zoo.audio import Sound
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.models.speech_recognizer import SpeechRecognizer, SpeechRecognizerConfig
from attention_zoo.models.speech_recognizer.beginning import begin_from

ROOT = Path(__file__).parents[2]
RATE = 8000
TONES = {"a": 300, "b": 600, "c": 1000, "d": 1600, "e": 2500}  # Hz
NETWORKS = {
    "conformer": {"decoder_depth": 1},
    "streaming": {"network": "streaming", "chunk": 4, "left": 2},
    "las": {"network": "las", "depth": 2, "cell": "gru"},
}
SIZES = {"width": 32, "depth": 1, "heads": 2, "feed_forward": 64, "kernel_size": 5, "mels": 24, "dropout": 0.0}
KINDS = pytest.mark.parametrize("kind", list(NETWORKS))


def spoken(text, generator):
    """Say each letter by a tone and each blank by silence."""
    parts = [np.zeros(400)]
    for letter in text:
        length = int(RATE * generator.uniform(0.10, 0.16))
        tone = np.sin(2 * np.pi * TONES[letter] * np.arange(length) / RATE) if letter != " " else np.zeros(length)
        parts += [0.5 * tone * np.hanning(length) ** 0.3, np.zeros(int(RATE * 0.03))]
    sound = np.concatenate(parts)
    return Sound((sound + 0.01 * generator.normal(size=len(sound))).astype("float32"), RATE)


def utterances(count, seed=0):
    """Make sounds of one or two words of letters, and what is said in them."""
    generator = np.random.default_rng(seed)
    words = [["".join(generator.choice(list(TONES), generator.integers(2, 4))) for _ in range(2)] for _ in range(count)]
    texts = [" ".join(pair[: generator.integers(1, 3)]) for pair in words]
    return [spoken(text, generator) for text in texts], texts


@pytest.fixture(scope="module")
def trained():
    """Return a function that trains each network once."""
    kept = {}

    def get(kind):
        if kind not in kept:
            task = SpeechRecognizer.new(**{**SIZES, **NETWORKS[kind]})
            history = task.fit(
                utterances(200),
                utterances(24, seed=1),
                epochs={"conformer": 16, "streaming": 6, "las": 10}[kind],
                batch_size=16,
                learning_rate=1e-2 if kind == "conformer" else 6e-3,
                progress=False,
            )
            kept[kind] = (task, history)
        return kept[kind]

    return get


@KINDS
def test_it_learns_to_hear(trained, kind):
    task, history = trained(kind)
    assert history["val_loss"][-1] < 0.4 * history["val_loss"][0]
    measures = task.evaluate(utterances(24, seed=2), ctc_weight=1.0)
    assert measures["cer"] < 0.15 and measures["utterances"] == 24


@KINDS
@pytest.mark.parametrize("search", [{"beam": 1, "ctc_weight": 1.0}, {"beam": 4, "ctc_weight": 1.0}, {"beam": 4}])
def test_a_batch_says_what_each_sound_says_alone(trained, kind, search):
    task, _ = trained(kind)
    sounds = utterances(6, seed=3)[0]
    together = task.transcribe(sounds, **search)
    alone = [task.transcribe(sound, **search)[0] for sound in sounds]
    assert [one.text for one in together] == [one.text for one in alone]
    np.testing.assert_allclose([one.score for one in together], [one.score for one in alone], atol=2e-3)


def test_words_come_with_their_times(trained):
    task, _ = trained("conformer")
    generator = np.random.default_rng(4)
    sound = spoken("abc  ead", generator)
    (found,) = task.transcribe(sound, timestamps=True, ctc_weight=1.0)
    assert [word.text for word in found.words] == found.text.split()
    assert all(0 <= word.start < word.end <= len(sound.samples) / RATE + 0.05 for word in found.words)
    assert found.words[0].end <= found.words[-1].start
    assert task.transcribe(sound, ctc_weight=1.0)[0].words == ()


def test_several_transcripts_come_best_first(trained):
    task, _ = trained("conformer")
    (found,) = task.transcribe(utterances(1, seed=5)[0], beam=4, nbest=3)
    assert len(found.others) == 2
    scores = [found.score, *(score for _, score in found.others)]
    assert scores == sorted(scores, reverse=True)


def test_a_language_model_is_kept_and_weighs(trained, tmp_path):
    task = SpeechRecognizer.load(trained("streaming")[0].save(tmp_path / "mine"))
    sounds = utterances(4, seed=6)[0]
    with pytest.raises(ZooValueError, match="wants a language model"):
        task.transcribe(sounds, lm_weight=0.5)
    plain = task.transcribe(sounds, beam=4)
    task.learn_language(["aa aa", "bb"], order=3)
    weighed = task.transcribe(sounds, beam=4, lm_weight=5.0)
    assert [one.text for one in weighed] != [one.text for one in plain]
    again = SpeechRecognizer.load(task.save(tmp_path / "with"))
    assert again.transcribe(sounds, beam=4, lm_weight=5.0) == weighed


def test_a_new_network_begins_with_the_weights_of_another(trained):
    other, _ = trained("streaming")
    own = {name: value for name, value in SIZES.items() if name not in ("mels", "dropout")}
    task, taken = begin_from(other, **{**own, "network": "streaming", "chunk": 4, "left": 2})
    assert taken == len(task.model.weights) == len(other.model.weights)
    sounds = utterances(4, seed=9)[0]
    assert task.transcribe(sounds) == other.transcribe(sounds)
    joint, taken = begin_from(other, decoder_depth=1, attention="rotary")
    known = {weight.path: keras.ops.convert_to_numpy(weight) for weight in other.model.weights}
    new = [weight.path for weight in joint.model.weights if weight.path not in known]
    assert taken == len(known) and new and all(path.startswith("decoder/") for path in new)
    for weight in joint.model.weights:
        if weight.path in known:
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), known[weight.path])
    with pytest.raises(ZooValueError, match="encoder must be of the shape"):
        begin_from(other, depth=2, decoder_depth=0, attention="rotary")
    with pytest.raises(ZooValueError, match="mels must be 24, as of what to begin with, got 40"):
        begin_from(other, mels=40)


def test_the_weight_of_a_language_model_is_chosen_by_errors_and_kept(trained, tmp_path, monkeypatch):
    task, held = SpeechRecognizer.load(trained("streaming")[0].save(tmp_path / "mine")), utterances(16, seed=7)
    with pytest.raises(ZooValueError, match="tune_search wants a language model"):
        task.tune_search(held)
    task.learn_language(held[1], order=3)
    sure = task.listener.chances

    def unsure(rows, batch_size):
        noise = np.random.default_rng(0)
        found = [0.2 * one + noise.gumbel(0, 0.4, one.shape) for one in sure(rows, batch_size)]
        return [one - np.logaddexp.reduce(one, axis=-1, keepdims=True) for one in found]

    monkeypatch.setattr(task.listener, "chances", unsure)
    told = task.tune_search(held)
    assert [one["wer"] for one in told] == sorted(one["wer"] for one in told) and told[0]["wer"] < told[-1]["wer"]
    chosen = {name: told[0][name] for name in ("lm_weight", "length_bonus")}
    kept = SpeechRecognizer.load(task.save(tmp_path / "tuned")).config
    assert {name: getattr(kept, name) for name in chosen} == chosen and chosen["lm_weight"] > 0
    for one in (told[0], told[-1]):
        search = {name: one[name] for name in chosen}
        measures = task.evaluate(held, **search)
        assert (measures["wer"], measures["cer"]) == pytest.approx((one["wer"], one["cer"]))


@KINDS
def test_what_was_saved_says_the_same(trained, kind, tmp_path):
    task, _ = trained(kind)
    folder = task.save(tmp_path / "mine", description="a test", licence="MIT", permissive=True)
    again = az.load(folder)
    sounds = utterances(4, seed=7)[0]
    assert [one.text for one in again.transcribe(sounds)] == [one.text for one in task.transcribe(sounds)]


@KINDS
def test_an_explanation_has_a_row_for_each_unit(trained, kind, tmp_path):
    task, _ = trained(kind)
    found = task.explain(spoken("ab cd", np.random.default_rng(8)), "ab cd")
    assert [row.text for row in found.rows][:5] == list("ab cd")
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=0.02)
    for suffix in ("png", "html", "json"):
        assert found.save(tmp_path / f"why.{suffix}").stat().st_size > 500


def test_ctc_hears_units_in_their_order(trained):
    task, _ = trained("streaming")
    found = task.explain(spoken("abcde", np.random.default_rng(9)), "abcde")
    places = found.weights.argmax(axis=1)
    assert (np.diff(places) > 0).all()


def test_a_long_sound_is_heard_in_pieces(trained, tmp_path):
    task = SpeechRecognizer.load(trained("streaming")[0].save(tmp_path / "mine"))
    task.preprocessor.max_seconds = 1.5
    generator = np.random.default_rng(10)
    parts = [spoken(text, generator).samples for text in ("ab", "cd", "ea")]
    quiet = 0.01 * generator.normal(size=RATE // 2).astype("float32")
    sound = Sound(np.concatenate([part for one in parts for part in (one, quiet)]), RATE)
    (found,) = task.transcribe(sound, timestamps=True)
    assert found.text.replace(" ", "") == "abcdea"
    assert found.words[-1].start > 1.5


@pytest.mark.parametrize("cut", [100, 777, 5000])
def test_a_stream_says_what_the_whole_says(trained, cut):
    task, _ = trained("streaming")
    (sound,) = utterances(1, seed=11)[0]
    stream = task.stream(rate=RATE)
    said = [stream.feed(sound.samples[start : start + cut]) for start in range(0, len(sound.samples), cut)]
    whole = task.transcribe(sound, beam=1)[0].text
    assert stream.finish().text == whole
    assert said[-1] == whole[: len(said[-1])]
    assert task.latency == pytest.approx(0.16)


def test_a_stream_wants_a_network_that_goes_chunk_by_chunk(trained):
    with pytest.raises(ZooValueError, match="streaming"):
        trained("conformer")[0].stream()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam": 0}, "beam must be"),
        ({"nbest": 3, "beam": 2}, "nbest must be at most beam"),
        ({"ctc_weight": 2.0}, "ctc_weight must be"),
        ({"max_length": 0}, "max_length must be"),
        ({"beams": 3}, "beam"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_a_search_that_cannot_work_is_refused(trained, options, words):
    with pytest.raises(ZooValueError, match=words):
        trained("conformer")[0].transcribe(utterances(1)[0], **options)


def test_what_is_no_sound_is_refused(trained, tmp_path):
    task, _ = trained("conformer")
    (tmp_path / "text.wav").write_text("this is no sound")
    with pytest.raises(ZooFileError):
        task.transcribe(tmp_path / "text.wav")
    with pytest.raises(ZooTypeError):
        task.transcribe([3.5])
    with pytest.raises(ZooValueError):
        task.transcribe((np.full(1000, np.nan, "float32"), RATE))


def test_data_that_do_not_fit_are_refused():
    sounds, texts = utterances(3)
    task = SpeechRecognizer.new(**SIZES)
    with pytest.raises(ZooValueError, match="has seen no data yet"):
        task.transcribe(sounds)
    with pytest.raises(ZooValueError, match="3 sounds and 2 transcripts"):
        task.fit((sounds, texts[:2]))
    with pytest.raises(ZooValueError, match="focus must be left out"):
        task.fit((sounds, texts), focus=2.0)
    with pytest.raises(ZooTypeError, match="data must be"):
        task.fit(5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": "conformers"}, "conformer"),
        ({"width": 30, "heads": 4}, "multiple of heads"),
        ({"kernel_size": 4}, "kernel_size must be odd"),
        ({"network": "streaming", "decoder_depth": 1}, "decoder_depth must be 0"),
        ({"network": "las", "decoder_depth": 2}, "decoder_depth must be 1"),
        ({"scheduled_sampling": 0.2}, "scheduled_sampling must be 0"),
        ({"units": "words"}, "units"),
        ({"ctc_share": 2.0}, "ctc_share must be"),
    ],
)
def test_a_config_that_cannot_work_is_refused(change, words):
    with pytest.raises(ZooValueError, match=words):
        SpeechRecognizerConfig.of(**change)


def test_attention_that_cannot_go_chunk_by_chunk_is_named():
    with pytest.raises(ZooValueError, match="linformer"):
        SpeechRecognizer.new(*utterances(3), **{**SIZES, "network": "streaming", "attention": "linformer"})


@pytest.mark.parametrize("attention", ["rotary", "multi_head", "linear"])
def test_any_attention_of_its_role_is_an_encoders(attention):
    task = SpeechRecognizer.new(*utterances(4), **{**SIZES, "attention": attention, "decoder_depth": 0})
    assert len(task.transcribe(utterances(2)[0], beam=1)) == 2


def test_pieces_are_units_too():
    sounds, texts = utterances(40)
    task = SpeechRecognizer.new(sounds, texts, **{**SIZES, "units": "pieces", "pieces": 280, "decoder_depth": 0})
    assert task.preprocessor.decode(task.preprocessor.targets([texts[0]])[0]) == texts[0]
    assert isinstance(task.transcribe(sounds[0], beam=2, timestamps=True)[0].text, str)


def test_half_precision_trains_and_hears():
    task = SpeechRecognizer.new(dtype="mixed_bfloat16", **SIZES)
    history = task.fit(utterances(24), epochs=2, batch_size=8, progress=False, augment=True, speeds=(1.0, 0.9))
    assert np.isfinite(history["loss"]).all()
    assert isinstance(task.transcribe(utterances(1)[0], beam=2)[0].text, str)


@pytest.mark.costly
@KINDS
def test_an_export_hears_as_the_task_without_keras(trained, kind, tmp_path):
    task, _ = trained(kind)
    folder = tmp_path / "mine"
    task.export(folder, attention="statistics")  # both formats: a SavedModel takes fewer names than ONNX alone
    runner = az.runtime.load(folder)
    sounds = utterances(5, seed=12)[0]
    if kind != "las":
        check_watched(runner, "encoder", task, sounds)
    for search in ({"beam": 1, "ctc_weight": 1.0}, {"beam": 4, "nbest": 2}, {"beam": 4, "timestamps": True}):
        wanted, found = task.transcribe(sounds, **search), runner.transcribe(sounds, **search)
        assert [one.text for one in found] == [one.text for one in wanted]
        np.testing.assert_allclose([one.score for one in found], [one.score for one in wanted], atol=2e-3)
        assert [[word.text for word in one.words] for one in found] == [[w.text for w in one.words] for one in wanted]
    if kind == "streaming":
        stream = runner.stream(rate=RATE)
        for start in range(0, len(sounds[0].samples), 1000):
            stream.feed(sounds[0].samples[start : start + 1000])
        assert stream.finish().text == task.transcribe(sounds[0], beam=1)[0].text


@pytest.mark.costly
@KINDS
def test_other_backends_say_the_same(trained, kind, tmp_path):
    task, _ = trained(kind)
    sounds = utterances(5, seed=13)[0]
    np.savez(tmp_path / "sounds.npz", *[sound.samples for sound in sounds])
    folder, wanted = task.save(tmp_path / "mine"), [found.text for found in task.transcribe(sounds)]
    program = (
        "import sys, json, numpy; from attention_zoo import load\n"
        "sounds = [(array, 8000) for array in numpy.load(sys.argv[2]).values()]\n"
        "print(json.dumps([found.text for found in load(sys.argv[1]).transcribe(sounds)]))"
    )
    for backend in {"tensorflow", "jax", "torch"} - {keras.backend.backend()}:
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-c", program, str(folder), str(tmp_path / "sounds.npz")]
        child = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert json.loads(child.stdout.splitlines()[-1]) == wanted


@KINDS
def test_statistics_come_in_the_order_of_the_sounds(trained, kind):
    with quick(trained(kind)[0]) as task:
        check_statistics(task, utterances(4, seed=4)[0])


@KINDS
def test_explanations_are_judged_by_hiding_stretches_of_the_sound(trained, kind):
    generator = np.random.default_rng(5)
    # A decoder that is told what was written before may know the next letter without listening.
    check_faithfulness(trained(kind)[0], spoken("abe dc", generator), "cc cc", learned=kind != "las")
