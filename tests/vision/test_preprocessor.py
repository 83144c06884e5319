import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from attention_zoo import data
from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.vision import ImagePreprocessor

pytestmark = pytest.mark.once

RED, BLACK = [255, 0, 0], [0, 0, 0]


def colours(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def halves(height=10, width=20):
    """Return an image that is red on the left and black on the right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = RED
    return image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("given", [(9, 5), (9, 5, 1), (9, 5, 3), (9, 5, 4), (1, 1), (1, 40), (6, 8, 3)])
def test_images_of_any_size_and_colour_become_one(given, channels):
    preprocessor = ImagePreprocessor(6, 8, channels)
    image = colours(*given)
    pixels = preprocessor(image)["pixels"]
    assert pixels.shape == (1, 6, 8, channels) and pixels.dtype == np.float32
    assert pixels.min() >= 0 and pixels.max() <= 1
    assert np.array_equal(pixels, preprocessor.pack([image]).astype(np.float32) / np.float32(255))
    assert np.array_equal(preprocessor.placed(image), preprocessor.pack(image)[0])
    assert preprocessor.shape == (6, 8, channels)


def test_grey_is_repeated_and_colour_becomes_its_luminance():
    grey, colour = np.full((2, 2), 77, np.uint8), np.full((2, 2, 3), RED, np.uint8)
    assert (ImagePreprocessor(2, 2, 3).pack([grey]) == 77).all()
    assert (ImagePreprocessor(2, 2, 1).pack([colour]) == 76).all()
    mixed = ImagePreprocessor(2, 2, 3).pack([grey, colour])
    assert mixed[:, 0, 0].tolist() == [[77, 77, 77], RED]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(5, 6, 8), (5, 6, 8, 1), (5, 6, 8, 3), (5, 6, 8, 4)])
@pytest.mark.parametrize("kind", ["uint8", "float32", "int32", "uint16", "bool"])
def test_a_whole_array_gives_what_its_images_give_one_by_one(kind, shape, channels):
    images = colours(*shape)
    images = images / np.float32(255) if kind == "float32" else images > 127 if kind == "bool" else images.astype(kind)
    images = images * 257 if kind == "uint16" else images
    preprocessor = ImagePreprocessor(6, 8, channels)
    whole = preprocessor.pack(images)
    assert whole.dtype == np.uint8 and whole.shape == (5, 6, 8, channels)
    assert np.array_equal(whole, np.stack([preprocessor.placed(image) for image in images]))
    assert np.array_equal(whole, preprocessor.pack(list(images)))


def test_what_is_right_already_is_not_even_copied():
    grey, colour = colours(5, 6, 8), colours(5, 6, 8, 3)
    assert np.shares_memory(ImagePreprocessor(6, 8, 1).pack(grey), grey)
    assert np.shares_memory(ImagePreprocessor(6, 8, 3).pack(colour), colour)


def test_many_small_images_are_packed_at_once():
    images = np.zeros((60_000, 28, 28), np.uint8)
    began = time.process_time()
    for given in (images, list(images)):
        assert ImagePreprocessor(28, 28, 1).pack(given).shape == (60_000, 28, 28, 1)
    assert time.process_time() - began < 2


def test_stretch_shows_all_and_bends():
    picture = ImagePreprocessor(10, 10, resize="nearest").placed(halves())
    assert picture[5].tolist() == [RED] * 5 + [BLACK] * 5


def test_crop_shows_the_middle_unbent():
    picture = ImagePreprocessor(10, 10, resize="nearest", fit="crop").placed(halves(10, 40))
    assert picture[5].tolist() == [RED] * 5 + [BLACK] * 5
    striped = np.zeros((30, 10, 3), np.uint8)
    striped[10:20] = RED
    assert (ImagePreprocessor(5, 5, resize="nearest", fit="crop").placed(striped) == RED).all()
    # As if the whole were made smaller first: what lies beyond the middle shows at its edge, and nowhere else.
    assert (ImagePreprocessor(5, 5, fit="crop").placed(striped)[1:-1] == RED).all()


@pytest.mark.parametrize("fill", [0, 99])
def test_pad_shows_all_unbent_and_fills(fill):
    picture = ImagePreprocessor(10, 10, fit="pad", fill=fill, resize="nearest").placed(halves(10, 20))
    assert (picture[:2] == fill).all() and (picture[7:] == fill).all()
    assert picture[4].tolist() == [RED] * 5 + [BLACK] * 5
    line = ImagePreprocessor(4, 4, 1, fit="pad", fill=fill).placed(np.full((1, 400), 255, np.uint8))
    assert (line == 255).any(axis=1).sum() == 1


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("resize", ["area", "bicubic", "bilinear", "lanczos", "nearest"])
def test_one_colour_stays_one_colour_whatever_the_way(resize, fit):
    for size in ((1, 1), (3, 50), (50, 3), (8, 8)):
        picture = ImagePreprocessor(8, 8, 3, resize, fit, fill=200).placed(np.full((*size, 3), 200, np.uint8))
        assert (picture == 200).all()


def test_making_smaller_averages():
    board = np.indices((64, 64)).sum(axis=0) % 2 * np.uint8(255)
    for resize in ("area", "bicubic", "bilinear", "lanczos"):
        assert np.abs(ImagePreprocessor(8, 8, 1, resize).placed(board.astype(np.uint8)).astype(int) - 127).max() < 12
    area = ImagePreprocessor(1, 1, 1, "area").placed(np.array([[0, 100], [100, 200]], np.uint8))
    assert area.tolist() == [[[100]]]


def test_pixels_know_their_place():
    image = colours(12, 12)
    for fit in ("stretch", "crop", "pad"):
        preprocessor = ImagePreprocessor(6, 6, 1, fit=fit)
        turned, straight = preprocessor.placed(image.T), preprocessor.placed(image)
        assert np.abs(turned[..., 0].astype(int) - straight[..., 0].T).max() <= 1


def test_files_arrays_and_pil_images_may_stand_side_by_side(tmp_path):
    image = colours(6, 8, 3)
    Image.fromarray(image).save(tmp_path / "a.png")
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    given = [tmp_path / "a.png", stream.getvalue(), Image.fromarray(image), image, image / 255]
    packed = ImagePreprocessor(6, 8).pack(given)
    assert all(np.array_equal(each, image) for each in packed)


def test_the_bundled_sample_is_packed_as_it_is():
    sample = data.load("fashion_mnist", sample=True)
    split = sample["train"].take(50)
    packed = ImagePreprocessor(28, 28, 1).pack(split["image"])
    assert np.array_equal(packed[..., 0], split["image"])
    folds = data.k_folds(split, 2)
    assert ImagePreprocessor(14, 14, 3).pack(folds[0][0]["image"]).shape == (25, 14, 14, 3)


def test_a_bad_image_is_named_by_its_number_and_path(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    preprocessor = ImagePreprocessor(4, 4)
    with pytest.raises(ZooFileError, match=r"images\[1\] \(.*bad\.png\) is no image"):
        preprocessor([colours(4, 4), tmp_path / "bad.png"])
    broken = np.zeros((3, 4, 4), np.float32)
    broken[2, 1, 1] = np.nan
    for given in (broken, list(broken), broken[..., None], np.zeros((3, 9, 9)) * np.nan):
        with pytest.raises(ZooValueError, match=r"images\[[02]\] must hold floats from 0 to 1, got NaN"):
            preprocessor.pack(given)
    with pytest.raises(ZooValueError, match=r"images\[0\] must have 1, 3 or 4 channels, got shape \(4, 4, 7\)"):
        preprocessor.pack(np.zeros((2, 4, 4, 7)))
    with pytest.raises(ZooValueError, match="image must be "):
        preprocessor.placed(np.zeros((2, 4, 4, 3)))


def test_the_limit_of_pixels_may_be_set():
    stream = io.BytesIO()
    Image.new("L", (40, 40)).save(stream, "PNG")
    with pytest.raises(ZooValueError, match="at most 100 pixels, got 40 x 40"):
        ImagePreprocessor(4, 4, max_pixels=100)(stream.getvalue())
    assert ImagePreprocessor(4, 4, max_pixels=1600)(stream.getvalue())["pixels"].shape == (1, 4, 4, 3)


def test_it_comes_back_from_its_folder_as_it_was(tmp_path):
    before = ImagePreprocessor(5, 7, 1, "area", "pad", 9, 1000)
    before.save(tmp_path / "new" / "folder")
    after = ImagePreprocessor.load(tmp_path / "new" / "folder")
    assert after.config == before.config
    assert json.loads((tmp_path / "new" / "folder" / "preprocessor.json").read_text()) == {
        "format": 1, "kind": "image", "height": 5, "width": 7, "channels": 1, "resize": "area", "fit": "pad", "fill": 9,
        "max_pixels": 1000,
    }  # fmt: skip
    image = colours(30, 30, 3)
    assert np.array_equal(before.pack(image), after.pack(image))


DAMAGE = {
    "cut": ('{"format": 1, ', "is damaged"),
    "a list": ("[1]", "is damaged: a JSON object is wanted"),
    "newer": ('{"format": 2}', "must have format 1, got 2"),
    "of texts": ('{"format": 1, "kind": "word"}', "must be of a preprocessor of the kind 'image', got 'word'"),
    "unknown": ('{"format": 1, "kind": "image", "height": 2, "width": 2, "depth": 3}', "is damaged: .*depth"),
    "out of range": (
        '{"format": 1, "kind": "image", "height": 0, "width": 2}',
        "is damaged: height must be a whole number of at least 1",
    ),
    "lacking": ('{"format": 1, "kind": "image"}', "is damaged: .*height"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_file_is_one_sentence(tmp_path, case):
    content, message = DAMAGE[case]
    (tmp_path / "preprocessor.json").write_text(content)
    with pytest.raises(ZooFileError, match=rf"preprocessor\.json {message}"):
        ImagePreprocessor.load(tmp_path)


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    with pytest.raises(ZooFileError, match=r"preprocessor\.json is missing"):
        ImagePreprocessor.load(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ZooFileError, match="cannot be written"):
        ImagePreprocessor(2, 2).save(tmp_path / "file")


BAD = {
    "height": ({"height": 0}, ZooValueError, r"height must be a whole number of at least 1 \(pixels\), got 0"),
    "width": ({"width": 2.5}, ZooValueError, "width must be a whole number"),
    "channels": ({"channels": 2}, ZooValueError, r"channels must be 1 \(grey\) or 3 \(colour\), got 2"),
    "resize": ({"resize": "linear"}, ZooValueError, "resize 'linear' is unknown; the nearest names are 'bilinear'"),
    "fit": ({"fit": "croop"}, ZooValueError, "fit 'croop' is unknown; the nearest names are 'crop'"),
    "fill": ({"fill": 256}, ZooValueError, r"fill must be at most 255 \(white\), got 256"),
    "max_pixels": ({"max_pixels": True}, ZooValueError, "max_pixels must be a whole number"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_argument_out_of_range_is_an_error(case):
    arguments, error, message = BAD[case]
    with pytest.raises(error, match=message):
        ImagePreprocessor(**{"height": 4, "width": 4, **arguments})


def test_it_needs_no_keras():
    code = (
        "import sys, numpy; from attention_zoo import vision, data; data.load('fashion_mnist', sample=True);"
        "vision.ImagePreprocessor(4, 4)(numpy.zeros((2, 9, 9), 'uint8')); print('keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
