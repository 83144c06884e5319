import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.multimodal import MultimodalPreprocessor
from attention_zoo.multimodal.pictures import FrameReader, spaced
from attention_zoo.multimodal.sounds import SoundReader, loudest
from attention_zoo.multimodal.vectors import read_vectors
from attention_zoo.vision import ImagePreprocessor

pytestmark = pytest.mark.once


def gif(levels, path=None):
    frames = [Image.fromarray(np.full((6, 8), level, np.uint8)) for level in levels]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=40)
    if path is not None:
        path.write_bytes(stream.getvalue())
    return path or stream.getvalue()


def levels_of(row):
    return row[:, 3, 3, 0].tolist()


READER = FrameReader(ImagePreprocessor(6, 8, 1), 3)


def read(value, reader=READER):
    return reader.read([("image of row 0", value)])[0]


def test_all_forms_of_a_sequence_of_pictures_are_the_same(tmp_path):
    levels = [0, 60, 120, 180, 240]
    block = np.stack([np.full((6, 8), level, np.uint8) for level in levels])
    files = [tmp_path / f"{level}.png" for level in levels]
    for path, frame in zip(files, block):
        Image.fromarray(frame).save(path)
    forms = [block, block[..., None], np.repeat(block[..., None], 3, -1), list(block), tuple(block), files]
    forms += [[str(path) for path in files], [path.read_bytes() for path in files]]
    forms += [[Image.open(path) for path in files], gif(levels), gif(levels, tmp_path / "a.gif")]
    for form in forms:
        row = read(form)
        assert row.dtype == np.uint8 and row.shape == (3, 6, 8, 1)
        assert levels_of(row) == [0, 120, 240]


def test_one_picture_is_one_frame(tmp_path):
    still = np.full((6, 8), 77, np.uint8)
    for form in (still, [still], still[None], Image.fromarray(still), gif([77]), np.full((12, 16, 3), 77, np.uint8)):
        assert levels_of(read(form)) == [77]
    assert read([]) is None and read(()) is None


def test_frames_are_evenly_spaced_from_the_first_to_the_last():
    assert spaced(3, 5) == [0, 1, 2] and spaced(9, 5) == [0, 2, 4, 6, 8] and spaced(5, 1) == [2]
    assert spaced(100, 2) == [0, 99] and len(set(spaced(17, 16))) == 16


def test_damaged_frames_are_named(tmp_path):
    whole = gif([0, 60, 120], tmp_path / "a.gif").read_bytes()
    (tmp_path / "b.gif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ZooFileError, match=r"image of row 0 \(.*b\.gif\).* is damaged"):
        read(tmp_path / "b.gif")
    with pytest.raises(ZooError, match=r"image of row 0.* is damaged|is no image"):
        read(whole[:20])
    with pytest.raises(ZooValueError, match="image of row 0, frame 1 is no image"):
        read([np.zeros((6, 8), np.uint8), b"x"])


def tone(seconds, rate=16_000, loudness=0.5):
    return (loudness * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def sounds(**settings):
    rows = {"audio": [(tone(0.5) + 0.01 * np.random.default_rng(0).normal(size=8000), 16_000)]}
    return MultimodalPreprocessor.learn(rows, mels=16, **settings)


def test_of_a_long_sound_the_loudest_stretch_is_taken_and_this_is_said_once():
    quiet = 0.01 * np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    long = np.concatenate([quiet, tone(0.5), quiet])
    made = sounds(max_seconds=0.5)
    with pytest.warns(UserWarning, match=r"cut to its loudest 0\.5 s \(max_seconds\); this is said once"):
        found = made.readers["audio"].samples((long, 16_000))
    # The stretch is sought every 20 ms, and so it begins at most 10 ms beside the best place, which is on that grid.
    np.testing.assert_array_equal(found, tone(0.5))
    assert made({"audio": [(long, 16_000)] * 2})["audio_steps"].tolist() == [48, 48]
    assert loudest(np.arange(9.0), 9, 1).tolist() == list(range(9))
    assert loudest(np.array([0, 3, 3, 0, 3, 3.0]), 2, 1).tolist() == [3, 3]


def test_a_sound_of_any_rate_channels_and_kind_is_the_same(tmp_path):
    made, samples = sounds(), tone(0.4)
    soundfile.write(tmp_path / "a.wav", np.stack([samples, samples], 1), 16_000, subtype="FLOAT")
    content = (tmp_path / "a.wav").read_bytes()
    rows = made({"audio": [(samples, 16_000), tmp_path / "a.wav", content, (tone(0.4, 48_000), 48_000)]})
    for row in (1, 2):
        np.testing.assert_array_equal(rows["audio"][0], rows["audio"][row])
    strong = made.readers["audio"].log_mel(samples).max(0).argmax()
    loudness = rows["audio"][..., strong] * made.readers["audio"].statistics.deviation[strong]
    # In the band of the tone, within a tenth of a decibel (ln 10 / 100), which nobody hears.
    np.testing.assert_allclose(loudness[0, 2:36], loudness[3, 2:36], atol=0.023)


def test_a_clipped_sound_is_read_and_said_once():
    made = sounds()
    with pytest.warns(UserWarning, match="audio of row 0 is clipped") as told:
        made({"audio": [(tone(0.3, loudness=3), 16_000)] * 2})
    assert len(told) == 1


def test_small_numbers_are_brought_to_size_and_constant_ones_are_not():
    rows = np.array([[1e-7, 5.0, 1e6], [3e-7, 5.0, 1e6], [5e-7, 5.0, 1e6]], np.float32)
    found = MultimodalPreprocessor.learn({"image": rows}, image="features")({"image": rows})["image"][:, 0]
    np.testing.assert_allclose(found[:, 0], [-(1.5**0.5), 0, 1.5**0.5], atol=1e-5)
    assert not found[:, 1:].any()


def test_training_on_silence_alone_is_an_error():
    with pytest.raises(ZooValueError, match="at least one sound that is not silent, got 2 silent ones"):
        MultimodalPreprocessor.learn({"audio": [(np.zeros(900), 16_000)] * 2})
    assert isinstance(sounds().readers["audio"], SoundReader)


def test_vectors_are_read_from_lists_arrays_and_files(tmp_path):
    vector = np.arange(3.0)
    np.save(tmp_path / "a.npy", np.stack([vector, vector]))
    assert read_vectors(vector, "x").shape == read_vectors([0, 1, 2], "x").shape == (1, 3)
    assert read_vectors(str(tmp_path / "a.npy"), "x", 3).shape == read_vectors([[0, 1, 2]] * 2, "x").shape == (2, 3)
    assert read_vectors(vector.astype(np.float64), "x").dtype == np.float32
    assert read_vectors(np.zeros((0, 3)), "x", 3) is None


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        ([1.0, 2.0], ZooValueError, "image of row 0 must be vectors of 3 numbers, got 2"),
        (np.zeros((2, 2, 3)), ZooValueError, r"must be a vector \[width\] or vectors \[steps, width\], got shape"),
        ([1.0, np.nan, 2.0], ZooValueError, "image of row 0 must be finite numbers, got 1 that are NaN"),
        ([1.0, 1e300, 2.0], ZooValueError, "got 1 that are NaN, infinite or too large"),
        ([[1.0, 2.0, 3.0], [1.0]], ZooTypeError, "image of row 0 must be vectors of numbers, all of one length"),
        (["a", "b", "c"], ZooTypeError, "image of row 0 must be a vector of numbers"),
        ([True, False, True], ZooTypeError, "must be vectors of numbers, got bool"),
        ("face.png", ZooTypeError, r"must be a vector of numbers, or the path of one \(\.npy\), got 'face\.png'"),
        ("none.npy", ZooFileError, r"image of row 0 \(none\.npy\) is missing or no \.npy file"),
        (5.0, ZooTypeError, "image of row 0 must be a vector of numbers"),
    ],
)
def test_what_is_no_vector_names_its_row(value, kind, sentence):
    with pytest.raises(kind, match=sentence):
        read_vectors(value, "image of row 0", 3)


def test_objects_in_a_file_of_vectors_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ZooFileError, match=r"no \.npy file of numbers"):
        read_vectors(tmp_path / "a.npy", "x")
