"""The preprocessor of speech: normalised features, units and back, cutting what is long, saved and read."""

import json
import re
import tracemalloc

import numpy as np
import pytest
import soundfile

from attention_zoo.audio import LogMel, Sound, SpeechPreprocessor, blocks, read_sound, spoken
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.files import read_json, write_json

pytestmark = pytest.mark.once

TEXTS = ["Hello there", "it's FIVE o\u2019clock", "one two three"]


def noise(seconds, seed=0, loudness=0.1, rate=16_000):
    return Sound(np.random.default_rng(seed).normal(0, loudness, int(seconds * rate)).astype(np.float32), rate)


SOUNDS = [noise(1.0), noise(0.5, seed=1, loudness=0.01), noise(2.0, seed=2)]


@pytest.fixture(scope="module")
def preprocessor():
    return SpeechPreprocessor.train(SOUNDS, TEXTS, features=LogMel(mels=40))


def test_training_data_have_mean_0_and_deviation_1(preprocessor):
    frames = np.concatenate(preprocessor.features(SOUNDS))
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-3)


def test_a_batch_is_padded_by_zeros_and_says_what_is_real(preprocessor):
    made = preprocessor([SOUNDS[0], (SOUNDS[1].samples, 16_000)])
    assert list(made) == ["features", "frames"]
    assert made["features"].dtype == np.float32 and made["features"].shape == (2, 128, 40)  # 98 frames, rounded up
    assert made["frames"].dtype == np.int32 and made["frames"].tolist() == [98, 48]
    assert not made["features"][0, 98:].any() and not made["features"][1, 48:].any()
    for row, sound, count in zip(made["features"], SOUNDS, made["frames"]):
        np.testing.assert_allclose(row[:count], preprocessor.features(sound)[0], atol=1e-6)
        log_mel = preprocessor.log_mel(read_sound(sound))
        np.testing.assert_allclose(row[:count] * preprocessor.deviation + preprocessor.mean, log_mel, atol=1e-4)


def test_texts_are_letters_and_come_back_as_they_are_spoken(preprocessor):
    rows = preprocessor.targets(TEXTS)
    assert all(row.dtype == np.int32 and row.min() >= 4 for row in rows)
    assert [preprocessor.decode(row) for row in rows] == [spoken(text) for text in TEXTS]
    assert "".join(preprocessor.unit(number) for number in rows[1]) == "it's five o'clock"
    assert preprocessor.units.characters == "".join(sorted(set("".join(map(spoken, TEXTS)))))
    assert preprocessor.vocabulary_size == 4 + len(preprocessor.units.characters)
    assert [preprocessor.unit(number) for number in range(5)] == ["[PAD]", "[UNK]", "[BOS]", "[EOS]", " "]


SPOKEN = {
    "Hello,  World!": "hello world",
    "it\u2019s TWENTY-one": "it's twenty one",
    "'quoted' \u2018words\u2019 ' '": "'quoted' 'words'",
    "Cafe\u0301 STRASSE \u0130": "caf\u00e9 strasse i\u0307",
    "\u00c7a va? 42 \u0966": "\u00e7a va 42 \u0966",
    "\u5bb6 \u0645\u0631\u062d\u0628\u0627": "\u5bb6 \u0645\u0631\u062d\u0628\u0627",
    " \t\n": "",
    "...": "",
}


@pytest.mark.parametrize("text", SPOKEN)
def test_texts_are_read_as_they_are_spoken(text):
    assert spoken(text) == SPOKEN[text]
    assert spoken(spoken(text)) == spoken(text)


def test_pieces_come_back_as_well(tmp_path):
    texts = ["enter fifty four", "enter fifty one", "rubout four", "enter four"] * 3
    made = SpeechPreprocessor.train(SOUNDS, texts, units="pieces", vocabulary_size=280, features=LogMel(mels=40))
    rows = made.targets(["Enter four!", ""])
    assert made.decode(rows[0]) == "enter four" and len(rows[0]) <= 4 and len(rows[1]) == 0
    assert "".join(made.unit(number) for number in rows[0]) == " enter four"
    made.save(tmp_path)
    again = SpeechPreprocessor.load(tmp_path)
    np.testing.assert_array_equal(again.targets(["Enter four!"])[0], rows[0])
    assert again.vocabulary_size == made.vocabulary_size
    assert made.decode([2, *made.targets(["caf\u00e9"])[0], 3, 9, 9]) == "caf\u00e9"


def test_characters_that_are_no_units_are_unknown_and_told_once():
    made = SpeechPreprocessor.train(SOUNDS[:1], ["abc"])
    with pytest.warns(UserWarning, match=r"3 of 7 characters are no units and became \[UNK\]: x z; this is") as caught:
        (row,) = made.targets("ABX zxc")
    assert len(caught) == 1 and caught[0].filename == __file__
    assert row.tolist() == [5, 6, 1, 4, 1, 1, 7] and made.decode(row) == "ab c"
    made.targets("xyz")


def test_a_row_of_ids_ends_where_it_says(preprocessor):
    ids = preprocessor.targets("one two")[0].tolist()
    assert preprocessor.decode([2, *ids, 3, *ids]) == "one two"
    assert preprocessor.decode([0, *ids, 0, 0]) == "one two" and preprocessor.decode([]) == ""
    assert preprocessor.decode([4, ids[0], 4, 4, 4, ids[1], 4]) == "o n"
    with pytest.raises(ZooTypeError, match="one row of whole numbers"):
        preprocessor.decode([[1.0]])
    with pytest.raises(ZooValueError, match="ids must be from 0 to"):
        preprocessor.decode([99])
    with pytest.raises(ZooValueError, match="id must be from 0 to"):
        preprocessor.unit(99)


def test_what_was_saved_gives_the_same_numbers(preprocessor, tmp_path):
    preprocessor.save(tmp_path / "p")
    again = SpeechPreprocessor.load(tmp_path / "p")
    assert again.config == preprocessor.config
    np.testing.assert_array_equal(again(SOUNDS)["features"], preprocessor(SOUNDS)["features"])
    np.testing.assert_array_equal(again.targets(TEXTS)[1], preprocessor.targets(TEXTS)[1])


DAMAGE = {
    "format": ({"format": 9}, "must have format 1, got 9"),
    "kind": ({"kind": "text"}, "of the kind 'speech', got 'text'"),
    "units": ({"units": "words"}, "units must be 'letters' or 'pieces', got 'words'"),
    "mean": ({"mean": [0.0]}, "mean must be 40 finite numbers"),
    "deviation": ({"deviation": [0.0] * 40}, "deviation must be more than 0"),
    "characters": ({"characters": "aa"}, "each once, got 'aa'"),
    "features": ({"features": {"rate": "x"}}, "rate must be a whole number"),
    "more": ({"colour": 1}, "colour"),
    "tokenizer": ({"units": "pieces"}, "tokenizer.json is missing"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_folder_is_one_sentence(case, preprocessor, tmp_path):
    changes, message = DAMAGE[case]
    preprocessor.save(tmp_path)
    write_json(tmp_path / "preprocessor.json", {**read_json(tmp_path / "preprocessor.json"), **changes})
    with pytest.raises(ZooFileError, match=message):
        SpeechPreprocessor.load(tmp_path)


def test_a_sound_is_cut_where_it_is_quietest_and_nothing_is_lost():
    made = SpeechPreprocessor.train(SOUNDS, TEXTS, max_seconds=3, features=LogMel(mels=40))
    samples = noise(9.0).samples
    for start in (2.4, 5.1):  # pauses of 0.3 s, the middle of each a quiet place
        samples[int(start * 16_000) : int((start + 0.3) * 16_000)] *= 0.01
    pieces = list(made.split((samples, 16_000)))
    assert all(len(piece.samples) <= 3 * 16_000 for piece in pieces)
    np.testing.assert_allclose(np.concatenate([piece.samples for piece in pieces]), samples)
    assert pieces[0].start == 0 and pieces[-1].end == 9.0
    for number, middle in ((1, 2.55), (2, 5.25)):
        assert pieces[number].start == pieces[number - 1].end == pytest.approx(middle, abs=0.06)
    (whole,) = made.split(noise(2.5))
    assert whole.start == 0 and len(whole.samples) == 40_000
    assert made((whole.samples, whole.rate))["frames"] == [248]
    assert [len(piece.samples) for piece in made.split(noise(3.0))] == [48_000]


def test_a_recording_of_ten_minutes_is_cut_in_bounded_memory(tmp_path):
    made = SpeechPreprocessor.train(SOUNDS[:1], TEXTS)
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", 22_050, 1, "PCM_16") as file:
        for minute in range(10):
            file.write(noise(60, seed=minute, rate=22_050).samples)
    tracemalloc.start()
    seconds = [(piece.start, len(piece.samples) / 16_000) for piece in made.split(path)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(length for _, length in seconds) == 600 and max(length for _, length in seconds) <= 30
    assert len(seconds) <= 30 and seconds[3][0] == pytest.approx(sum(length for _, length in seconds[:3]))
    assert peak < 16 * 2**20  # the whole are 38 MB; a piece 2 MB


def test_what_is_too_long_for_the_model_is_cut_and_told_once():
    made = SpeechPreprocessor.train(SOUNDS, TEXTS, max_seconds=1)
    with pytest.warns(UserWarning, match=r"cut to its first 1 s \(max_seconds\); this is said once") as caught:
        batch = made(SOUNDS)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert batch["frames"].tolist() == [98, 48, 98] and not batch["features"][2, 98:].any()
    assert len(made.features(SOUNDS)[2]) == 198


def test_bad_sounds_are_named_and_odd_ones_told_once(preprocessor, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ZooFileError, match=rf"sounds\[1\] \({re.escape(str(tmp_path))}/text\.wav\) is no sound"):
        preprocessor([SOUNDS[0], tmp_path / "text.wav"])
    with pytest.raises(ZooValueError, match=r"sounds\[1\] has 16,000 samples of 16,000 that are NaN"):
        preprocessor([SOUNDS[0], (np.full(16_000, np.nan), 16_000)])
    silent, clipped = (np.zeros(800), 16_000), (np.sign(SOUNDS[0].samples), 16_000)
    with pytest.warns(UserWarning, match="this is said once") as caught:
        batch = preprocessor([silent, silent, clipped, clipped])
    assert [str(each.message).split(";")[0] for each in caught] == [
        "sounds[0] is nothing but silence",
        "sounds[2] is clipped: 100.0% of its samples are at full scale",
    ]
    assert batch["frames"].tolist() == [3, 3, 98, 98] and np.isfinite(batch["features"]).all()


def test_chunks_of_a_microphone_give_the_features_of_the_whole(preprocessor):
    samples = noise(1.0, rate=44_100).samples
    stream = preprocessor.stream(44_100)
    found = [stream.feed(samples[start : start + 4_410]) for start in range(0, 44_100, 4_410)]
    np.testing.assert_allclose(
        np.concatenate([*found, stream.finish()]), preprocessor.features((samples, 44_100))[0], atol=1e-3
    )


def test_arrays_for_an_export_are_of_two_sizes(preprocessor):
    first, second = preprocessor.probes()
    for probe in (first, second):
        assert probe["features"].shape[2] == 40 and probe["target_ids"].max() < preprocessor.vocabulary_size
        real = probe["frames"]
        assert all(not row[count:].any() and row[:count].any() for row, count in zip(probe["features"], real))
    assert all(one != other for one, other in zip(first["features"].shape[:2], second["features"].shape[:2]))
    assert "float32 [batch, frames, 40]" in preprocessor.usage
    assert preprocessor.size(SOUNDS[2]) == 2.0 and preprocessor.noun == "sound"


def test_arguments_that_cannot_work_are_refused():
    for arguments, message in (
        ({"units": "words"}, "units 'words' is unknown; the nearest names are"),
        ({"max_seconds": 0}, "max_seconds must be from 1 to 3,600"),
        ({"units": "pieces", "vocabulary_size": 20}, "vocabulary_size must be a whole number of at least 260"),
    ):
        with pytest.raises(ZooValueError, match=message):
            SpeechPreprocessor.train(SOUNDS[:1], TEXTS, **arguments)
    assert len(list(blocks(SOUNDS[0]))) == 1 and json.dumps(SpeechPreprocessor.train(SOUNDS[:1], TEXTS).config)
