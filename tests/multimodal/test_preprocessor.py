import json
import subprocess
import sys

import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.multimodal import MultimodalPreprocessor

pytestmark = pytest.mark.once

ROWS = data.synthetic_emotions(80, frames=3, size=20, missing=0.3)
SMALL = {"height": 12, "width_pixels": 10, "mels": 20, "max_frames": 2, "max_tokens": 5, "vocabulary_size": 64}


@pytest.fixture(scope="module")
def made():
    return MultimodalPreprocessor.learn(ROWS["train"], conversations=True, **SMALL)


def features(count, seed=0, steps=None):
    generator = np.random.default_rng(seed)
    shape = (count, 4) if steps is None else (count, steps, 4)
    return (generator.normal(size=shape) * [1, 5, 100, 0] + [0, 3, 1000, 7]).astype(np.float32)


def test_arrays_have_the_shapes_and_kinds_that_networks_want(made):
    batch = made(ROWS["test"])
    shapes = {name: (array.shape, array.dtype.name) for name, array in batch.items()}
    frames = batch["audio"].shape[1]
    assert shapes == {
        "image": ((12, 2, 12, 10, 1), "float32"), "image_steps": ((12,), "int32"),
        "audio": ((12, frames, 20), "float32"), "audio_steps": ((12,), "int32"),
        "text": ((12, 5), "int32"), "text_steps": ((12,), "int32"), "conversation": ((12,), "int32"),
    }  # fmt: skip
    assert tuple(batch) == made.inputs and frames % 32 == 0
    assert batch["image"].min() >= 0 and 0.3 < batch["image"].max() <= 1
    assert batch["text"].max() < made.settings.vocabulary_size <= 64
    assert batch["audio_steps"].max() > frames - 32


def test_steps_say_what_is_real_and_the_rest_is_zero(made):
    split = ROWS["test"]
    batch = made(split)
    for modality in made.modalities:
        there = [value is not None for value in split[modality]]
        assert (batch[f"{modality}_steps"] > 0).tolist() == there and not all(there)
        for row, steps in zip(batch[modality], batch[f"{modality}_steps"]):
            assert not row[steps:].any() and (steps == 0 or row[:steps].any())


def test_a_row_is_the_same_whatever_stands_beside_it(made):
    rows = made.items(ROWS["test"])
    whole = made(rows)
    for number, row in enumerate(rows):
        alone = made([row])
        for modality in made.modalities:
            steps = int(alone[f"{modality}_steps"][0])
            assert steps == whole[f"{modality}_steps"][number]
            np.testing.assert_array_equal(alone[modality][0, :steps], whole[modality][number, :steps])


def test_a_batch_without_a_modality_still_has_a_step_of_it(made):
    batch = made({"text": ["glad", "sad"]})
    assert batch["audio"].shape[1] >= 1 and not batch["audio"].any() and batch["audio_steps"].tolist() == [0, 0]
    assert batch["image"].shape[1] >= 1 and batch["image_steps"].tolist() == [0, 0]


def test_encoding_once_and_in_half_precision_gives_the_same_batches(made):
    rows = ROWS["test"]
    encoded = made.encode(rows)
    again, whole = made.arrays(encoded), made(rows)
    for name, array in whole.items():
        np.testing.assert_array_equal(array, again[name])
    half = [{**row, **({"audio": row["audio"].astype(np.float16)} if "audio" in row else {})} for row in encoded]
    # float16 has 11 bits: half a unit in the last place of a number below 8.
    np.testing.assert_allclose(made.arrays(half)["audio"], whole["audio"], atol=8 * 2**-11)
    wide = made.arrays(encoded[:1], {"audio": 320, "text": 9})
    assert wide["audio"].shape[1] == 320 and wide["text"].shape[1] == 9


def test_bands_and_numbers_have_mean_zero_and_deviation_one_over_the_training_data():
    split = ROWS["train"]
    rows = {"audio": split["audio"], "image": list(features(len(split)))}
    made = MultimodalPreprocessor.learn(rows, image="features", mels=20)
    encoded = made.encode(rows)
    sound = np.concatenate([row["audio"] for row in encoded if "audio" in row])
    vectors = np.concatenate([row["image"] for row in encoded])
    # Statistics are kept in float32, and float32 sums of some thousand rows are right to five digits.
    np.testing.assert_allclose(sound.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(sound.std(0), 1, atol=1e-4)
    np.testing.assert_allclose(vectors.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(vectors.std(0), [1, 1, 1, 0], atol=1e-4)  # what never changes keeps its size
    assert made.settings.image_features == 4 and made.settings.modalities == ("image", "audio")


def test_silence_and_blank_texts_are_missing_and_counted(made):
    quiet, loud = np.full(8000, 0.0009), 0.1 * np.sin(np.arange(8000) / 5)
    rows = {"audio": [(quiet, 16_000), (loud, 16_000), None, (0 * quiet, 16_000)], "text": ["a", "b", " \n", "d"]}
    rows["image"] = [None, None, np.zeros((9, 9), np.uint8), []]
    with pytest.warns(UserWarning) as told:
        batch = made(rows)
    sentences = [str(one.message) for one in told]
    assert sentences == [
        "1 of 4 rows have an image without a frame: image is treated as missing there",
        "2 of 4 rows have a silent sound (no sample above -60 dB): audio is treated as missing there",
        "1 of 4 rows have a text without a word: text is treated as missing there",
    ]
    assert (batch["audio_steps"] > 0).tolist() == [False, True, False, False]
    assert batch["text_steps"][2] == 0 and batch["image_steps"].tolist() == [0, 0, 1, 0]
    with pytest.warns(UserWarning), pytest.raises(ZooValueError, match=r"row 1 must have .* got only a silent sound"):
        made({"text": ["a", None], "audio": [None, (quiet, 16_000)]})


def test_conversations_are_numbered_in_a_batch_and_a_row_alone_has_its_own_number(made):
    batch = made({"text": ["a"] * 6, "conversation": ["x", None, "y", "x", None, 7]})
    assert batch["conversation"].tolist() == [0, 1, 2, 0, 3, 4]
    assert len(set(made({"text": ["a", "b"]})["conversation"].tolist())) == 2
    with pytest.raises(ZooTypeError, match="conversation of row 1 must be a name or a number, got list"):
        made({"text": ["a", "b"], "conversation": ["x", ["y"]]})
    plain = MultimodalPreprocessor.learn({"text": ["a b", "c d"]})
    assert plain.inputs == ("text", "text_steps")
    assert "conversation" not in plain({"text": ["a"], "conversation": ["x"]})


def test_batches_keep_a_conversation_whole_and_like_sizes_together(made):
    texts = ["a " * count for count in (1, 9, 2, 8, 3, 7)]
    rows = made.items({"text": texts, "conversation": ["x", "y", None, "y", "x", None]})
    batches = made.batches(rows, 3)
    assert sorted(number for batch in batches for number in batch) == list(range(6))
    where = {number: place for place, batch in enumerate(batches) for number in batch}
    assert where[0] == where[4] and where[1] == where[3] and all(len(batch) <= 3 for batch in batches)
    assert [number for number in batches[where[1]] if number in (1, 3)] == [1, 3]
    assert [len(batch) for batch in made.batches(made.items({"text": texts, "conversation": ["x"] * 6}), 3)] == [6]


def test_what_the_model_does_not_read_is_refused(made):
    texts = MultimodalPreprocessor.learn({"text": ["a b", "c d"]})
    with pytest.raises(ZooValueError, match="row 1 has audio, and this model reads only text"):
        texts([{"text": "a"}, {"text": "b", "audio": "x.wav"}])
    with pytest.raises(ZooValueError, match="image must be in at least one row of the training data, got none"):
        MultimodalPreprocessor.learn({"text": ["a"]}, modalities=("text", "image"))


@pytest.mark.parametrize(
    ("rows", "kind", "sentence"),
    [
        ({"text": ["a", 5]}, ZooTypeError, "text of row 1 must be a string, got int 5"),
        ({"text": ["a", b"\xff"]}, ZooValueError, "text of row 1 must be UTF-8"),
        ({"audio": ["none.wav"]}, ZooFileError, r"audio of row 0 \(none\.wav\) does not exist"),
        ({"audio": [(np.array([0.1, np.nan]), 16_000)]}, ZooValueError, "audio of row 0 has 1 samples .*NaN"),
        ({"audio": [None, np.zeros(5)], "text": ["a", ""]}, ZooTypeError, "audio of row 1 must come with a rate"),
        ({"audio": [b"no sound"]}, ZooValueError, "audio of row 0 is no sound that can be read"),
        ({"image": ["none.png"]}, ZooFileError, r"image of row 0 \(none\.png\) does not exist"),
        ({"image": [b"no image"]}, ZooValueError, "image of row 0 is no image"),
        ([{"image": 5}], ZooTypeError, "image of row 0 must be a picture or a list of them"),
        ([{"image": ["none.png", "b.png"]}], ZooFileError, r"image of row 0, frame 0 \(none\.png\) does not exist"),
        (
            [{"image": np.full((2, 5, 5), np.nan)}],
            ZooValueError,
            "image of row 0, frame 0 must hold floats from 0 to 1",
        ),
    ],
)
def test_what_cannot_be_read_names_its_row(made, rows, kind, sentence):
    with pytest.raises(kind, match=sentence):
        made(rows)


def test_settings_that_cannot_work_are_named():
    rows = {"text": ["a b", "c d"]}
    for settings, sentence in (
        ({"audios": "sound"}, "setting 'audios' is unknown; the nearest names are 'audio'"),
        ({"text": "sound"}, "kind of text 'sound' is unknown"),
        ({"text_features": 4}, r"text_features must be 0 \(it is the width of vectors, for text='features'\), got 4"),
        ({"modalities": ()}, "modalities must be at least one of image, audio, text"),
        ({"modalities": ("text", "text")}, "each once"),
        ({"modalities": ("smell",)}, "modality 'smell' is unknown"),
        ({"modalities": "text"}, "modalities must be a list"),
        ({"max_frames": 0}, "max_frames must be a whole number of at least 1"),
        ({"max_seconds": 0}, "max_seconds must be from 0.1 to 600"),
    ):
        with pytest.raises((ZooValueError, ZooTypeError), match=sentence):
            MultimodalPreprocessor.learn(rows, **settings)
    with pytest.raises(ZooValueError, match="channels must be 1"):
        MultimodalPreprocessor.learn({"image": ["a.png"]}, channels=2)


def test_it_comes_back_from_its_folder_as_it_was(made, tmp_path):
    rows = {"image": list(features(3, steps=5)), "text": ["a", None, "b"], "audio": list(features(3, seed=1))}
    mixed = MultimodalPreprocessor.learn(rows, image="features", audio="features")
    for number, (one, given) in enumerate(((made, ROWS["val"]), (mixed, rows))):
        folder = tmp_path / str(number)
        one.save(folder)
        other = MultimodalPreprocessor.load(folder)
        assert other.settings == one.settings and other.usage == one.usage
        wanted, found = one(given), other(given)
        assert list(wanted) == list(found)
        for name, array in wanted.items():
            np.testing.assert_array_equal(array, found[name])
    assert sorted(path.name for path in (tmp_path / "0").iterdir()) == ["image", "preprocessor.json", "text"]


def test_a_damaged_folder_is_one_sentence(made, tmp_path):
    made.save(tmp_path)
    path = tmp_path / "preprocessor.json"
    whole = json.loads(path.read_text())
    audio = whole["readers"]["audio"]
    for change, sentence in (
        ({"format": 2}, "must have format 1, got 2"),
        ({"kind": "image"}, "must be of a preprocessor of the kind 'multimodal', got 'image'"),
        ({"settings": {**whole["settings"], "depth": 3}}, "is damaged: setting 'depth' is unknown"),
        ({"settings": {**whole["settings"], "modalities": ["image"]}}, "is damaged: readers must be for image, got"),
        ({"settings": {**whole["settings"], "vocabulary_size": 999}}, "is damaged: preprocessor.json and what each"),
        ({"readers": {**whole["readers"], "audio": {**audio, "mean": [0.0]}}}, "is damaged: mean and deviation"),
        ({"readers": {**whole["readers"], "audio": {**audio, "deviation": [0.0] * 20}}}, "is damaged: .*more than 0"),
        ({"readers": {**whole["readers"], "audio": {}}}, "is damaged"),
        ({"readers": []}, "is damaged"),
    ):
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(ZooFileError, match=sentence):
            MultimodalPreprocessor.load(tmp_path)
    path.write_text(json.dumps(whole))
    (tmp_path / "text" / "tokenizer.json").write_text("{")
    with pytest.raises(ZooFileError, match=r"tokenizer\.json is damaged"):
        MultimodalPreprocessor.load(tmp_path)


def test_probes_are_two_sizes_with_padding_and_missing_parts(made):
    vectors = MultimodalPreprocessor.learn({"image": features(4)}, image="features")
    one_frame = MultimodalPreprocessor.learn(ROWS["train"], modalities=made.modalities, **{**SMALL, "max_frames": 1})
    for each in (made, vectors, one_frame):
        first, second = each.probes()
        assert tuple(first) == tuple(second) == each.inputs
        for name in each.inputs:
            assert first[name].dtype == second[name].dtype and first[name].shape[0] != second[name].shape[0]
            assert first[name].shape[2:] == second[name].shape[2:] and np.isfinite(first[name]).all()
        for modality in each.modalities:
            steps = second[f"{modality}_steps"]
            assert first[modality].shape[1] < second[modality].shape[1] and len(set(steps.tolist())) > 1
            assert all(not row[real:].any() for row, real in zip(second[modality], steps))
            assert steps.max() == second[modality].shape[1]
    assert made.probes()[1]["image_steps"][-1] == 0


def test_it_says_how_it_is_used(made):
    assert made.noun == "row" and made.example == "a text" and "0 where audio is missing" in made.usage
    assert MultimodalPreprocessor.learn({"image": features(4)}, image="features").example == "rows.jsonl"
    assert made.size({"text": "a b c"}) < made.size({"text": "a b c", "audio": (np.zeros(16_000), 16_000)})


def test_it_needs_no_keras():
    source = (
        "import sys; sys.modules['keras'] = None\n"
        "from attention_zoo.multimodal import MultimodalPreprocessor\n"
        "print(MultimodalPreprocessor.learn({'text': ['a b']})({'text': ['a']})['text_steps'][0])"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
