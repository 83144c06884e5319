import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from attention_zoo.data.folder import IMAGE_ENDINGS
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.vision import as_image, as_images, as_items
from attention_zoo.vision.arrays import luminance
from attention_zoo.vision.decoding import FORMATS

pytestmark = pytest.mark.once

RED, WHITE, BLACK = [255, 0, 0], [255, 255, 255], [0, 0, 0]


def colours(height=5, width=7, channels=3, seed=0):
    shape = (height, width, channels) if channels else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def encoded(picture, kind="PNG", **options):
    stream = io.BytesIO()
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png_header(width, height):
    """Return the beginning of a PNG that says how large it is and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pieces = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 10)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in pieces
    )


class Tensor:
    """What every library's tensor has in common."""

    def __init__(self, values, error=None):
        self.values, self.error = values, error

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return self.values


def test_every_way_to_give_an_image_gives_the_same_pixels(tmp_path):
    pixels = colours()
    content = encoded(pixels)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with open(path, "rb") as stream:
        ways = [
            path, str(path), content, bytearray(content), memoryview(content), stream, io.BytesIO(content),
            Image.open(path), Image.fromarray(pixels), pixels, Tensor(pixels), pixels.astype(np.int64),
            pixels / 255, (pixels / 255).astype(np.float32), pixels.astype(np.uint16) * 257,
        ]  # fmt: skip
        for way in ways:
            (image,) = as_images(way)
            assert image.dtype == np.uint8 and np.array_equal(image, pixels)
    assert all(np.array_equal(image, pixels) for image in as_images([path, content, pixels]))
    assert all(np.array_equal(image, pixels) for image in as_images(np.array([str(path), str(path)])))
    assert len(as_images(each for each in (path, pixels))) == 2


SHAPES = {
    (5, 7): 1,
    (5, 7, 1): 1,
    (5, 7, 3): 1,
    (5, 7, 4): 1,
    (6, 5, 7): 6,
    (3, 5, 7): 3,
    (2, 5, 7, 1): 2,
    (2, 5, 7, 3): 2,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_an_array_says_how_many_images_it_holds(shape):
    images = as_images(np.zeros(shape, np.uint8))
    assert len(images) == len(as_items(np.zeros(shape))) == SHAPES[shape]
    assert images[0].shape == ((5, 7, 3) if shape[-1] in (3, 4) else (5, 7))


def test_an_array_of_many_images_is_not_taken_apart():
    many = colours(6, 5, 7)
    assert np.shares_memory(as_items(many), many)


@pytest.mark.parametrize("grey", [False, True])
def test_what_is_transparent_lies_on_white(grey):
    picture = Image.new("LA", (2, 1), (0, 255)) if grey else Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0) if grey else (255, 0, 0, 0))
    image = as_image(encoded(picture))
    assert image.tolist() == ([[0, 255]] if grey else [[RED, WHITE]])
    if not grey:
        assert as_image(np.asarray(picture)).tolist() == [[RED, WHITE]]
        assert as_image(np.asarray(picture) / 255).tolist() == [[RED, WHITE]]


def test_half_transparent_is_half_white_as_pillow_has_it():
    layer = colours(channels=4)
    picture = Image.fromarray(layer)
    expected = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    assert np.abs(as_image(picture).astype(int) - np.asarray(expected)).max() <= 1


def test_palettes_are_looked_up_and_their_transparent_colour_is_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.putpixel((1, 0), 1)
    assert as_image(encoded(picture)).tolist() == [[RED, BLACK]]
    assert as_image(encoded(picture, transparency=1)).tolist() == [[RED, WHITE]]
    assert as_image(encoded(picture, "GIF", transparency=1)).tolist() == [[RED, WHITE]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_one_colour_that_stands_for_transparent_is_white(mode):
    picture = Image.new(mode, (2, 1), 0)
    picture.putpixel((1, 0), (9, 9, 9) if mode == "RGB" else 1 if mode == "1" else 9)
    image = as_image(encoded(picture, transparency=(0, 0, 0) if mode == "RGB" else 0))
    assert image[0, 0].tolist() in (255, WHITE)
    assert image[0, 1].tolist() in (255, 9, [9, 9, 9])


def test_cmyk_and_black_and_white_are_read():
    assert as_image(Image.new("CMYK", (1, 1), (0, 255, 255, 0))).tolist() == [[RED]]
    red = as_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert red.shape == (8, 8, 3) and np.abs(red.astype(int) - RED).max() < 20
    assert as_image(encoded(Image.new("1", (2, 1), 1))).tolist() == [[255, 255]]
    assert as_image(np.array([[True, False]])).tolist() == [[255, 0]]
    assert as_image(Image.new("RGBa", (1, 1), (0, 0, 0, 0))).tolist() == [[WHITE]]


def test_sixteen_bits_become_eight():
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    for kind in ("PNG", "TIFF"):
        assert as_image(encoded(Image.fromarray(deep), kind)).tolist() == [[0, 1, 128, 255]]
    assert as_image(deep).tolist() == [[0, 1, 128, 255]]
    assert as_image(np.array([[0.0, 0.5, 1.0]])).tolist() == [[0, 128, 255]]
    assert as_image(Image.fromarray(np.array([[0, 1.0]], np.float32))).tolist() == [[0, 255]]
    with pytest.warns(UserWarning, match="image has 16 bits, of which it uses 0 to 200 only: nearly black"):
        as_image(np.array([[0, 200]], np.uint16))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_photograph_is_obeyed(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(colours()), exif=exif.tobytes())
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    assert np.array_equal(as_image(content), expected)
    assert np.array_equal(as_image(Image.open(io.BytesIO(content))), expected)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_notes_that_nobody_can_read_do_not_spoil_a_photograph():
    content = encoded(colours(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert np.array_equal(as_image(content), colours())


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken_and_said(kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    content = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )
    with pytest.warns(UserWarning, match=r"images\[0\] has several frames; the first is taken"):
        (image,) = as_images(content)
    assert image[0, 0].tolist() == RED
    picture = Image.open(io.BytesIO(content))
    picture.seek(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_image(picture)[0, 0].tolist() == [0, 0, 255]
        assert as_image(encoded(frames[1], kind)).shape == (4, 4, 3)


@pytest.mark.filterwarnings("error")
def test_a_photograph_that_holds_its_preview_is_no_animation():
    frames = [Image.new("RGB", (16, 16), "red"), Image.new("RGB", (8, 8), "red")]
    assert as_image(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])).shape == (16, 16, 3)


def test_the_images_of_a_folder_are_of_formats_that_are_read():
    Image.init()
    assert {Image.EXTENSION[ending] for ending in IMAGE_ENDINGS} <= set(FORMATS)


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(20_000, 20_000))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(
        ZooValueError, match=r"bomb\.png\) must have at most 89,478,485 pixels, got 400,000,000; .*max_pixels"
    ):
        as_image(path)
    with pytest.raises(ZooValueError, match=r"images\[1\] must have at most 30 pixels, got 7 x 5; .* raise max_pixels"):
        as_images([colours(), encoded(colours())], max_pixels=30)
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(ZooValueError, match="got 10,000 x 10,000"):
        as_image(png_header(10_000, 10_000))
    assert before == Image.MAX_IMAGE_PIXELS
    assert as_image(encoded(colours()), max_pixels=35).shape == (5, 7, 3)


def test_the_smallest_image_is_read():
    assert as_image(encoded(Image.new("L", (1, 1), 7))).tolist() == [[7]]
    assert as_image(np.zeros((1, 1, 3), np.uint8)).tolist() == [[BLACK]]


def test_a_damaged_file_is_named_by_its_number_and_path(tmp_path):
    whole = encoded(colours(60, 60), "JPEG")
    for name, content, message in (
        ("cut.jpg", whole[: len(whole) // 2], "is damaged"),
        ("cut.png", encoded(colours(60, 60))[:-500], "is damaged"),
        ("text.png", b"this is no image", "is no image, or too damaged to tell its format"),
        ("empty.png", b"", "is no image"),
        ("head.png", whole[:20], "is no image|is damaged"),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n", "is no image"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ZooFileError, match=rf"images\[1\] \(.*{name}\) ({message})"):
            as_images([colours(), path])
        with pytest.raises(ZooValueError, match=rf"image ({message})"):
            as_image(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_no_damage_leads_to_anything_but_an_image_or_one_sentence(kind):
    content = bytearray(encoded(colours(16, 16), kind))
    generator = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(150):
            damaged = bytearray(content)
            for place in generator.integers(0, len(content), 4):
                damaged[place] = generator.integers(0, 256)
            try:
                assert as_image(bytes(damaged[: generator.integers(1, len(content) + 1)])).dtype == np.uint8
            except ZooValueError as error:
                assert str(error).startswith("image ")


def test_a_path_that_is_none_is_an_error(tmp_path):
    with pytest.raises(ZooFileError, match=r"images\[0\] \(.*none\.png\) does not exist"):
        as_images([str(tmp_path / "none.png")])
    with pytest.raises(ZooFileError, match="is a folder, no image"):
        as_image(tmp_path)


NAN = np.array([[0.5, np.nan]])
BAD_VALUES = {
    "NaN": (NAN, ZooValueError, "image must hold floats from 0 to 1, got NaN or infinity"),
    "infinity": (np.array([[np.inf]]), ZooValueError, "got NaN or infinity"),
    "0 to 255": (np.array([[0.0, 255.0]]), ZooValueError, "floats from 0 to 1, got 0 to 255; divide by 255"),
    "below 0": (np.array([[-1.0, 1.0]]), ZooValueError, "floats from 0 to 1, got -1 to 1$"),
    "large numbers": (np.array([[0, 256]]), ZooValueError, "whole numbers from 0 to 255, got 0 to 256"),
    "negative": (np.array([[-1, 2]]), ZooValueError, "whole numbers from 0 to 255, got -1 to 2"),
    "complex": (np.array([[1j]]), ZooTypeError, "must hold numbers, got dtype complex128"),
    "objects": (np.array([[None]]), ZooTypeError, "must hold numbers, got dtype object"),
    "two channels": (np.zeros((5, 5, 2)), ZooValueError, r"1, 3 or 4 channels, got shape \(5, 5, 2\)$"),
    "channels first": (np.zeros((3, 5, 5)), ZooValueError, r"got shape \(3, 5, 5\); channels come last"),
    "no pixel": (np.zeros((0, 5)), ZooValueError, r"at least one pixel, got shape \(0, 5\)"),
    "no pixel, PIL": (Image.new("L", (0, 5)), ZooValueError, "at least one pixel, got 0 x 5"),
    "one axis": (np.zeros(5), ZooValueError, r"must be \[height, width\] or .*, got shape \(5,\)"),
    "five axes": (np.zeros((1, 1, 1, 1, 3)), ZooValueError, "got shape"),
    "four axes": (np.zeros((1, 5, 5, 3)), ZooValueError, "got shape"),
    "number": (3, ZooTypeError, "must be a path, bytes, a PIL image or an array, got int"),
    "list": ([[1, 2]], ZooTypeError, "must be a path, bytes, a PIL image or an array, got list"),
    "elsewhere": (Tensor(None, RuntimeError("on cuda")), ZooTypeError, "could not be turned .* on cuda"),
    "text file": (io.StringIO("x"), ZooTypeError, "opened in binary mode, got one that gives str"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_values_that_are_no_image_say_why(case):
    given, error, message = BAD_VALUES[case]
    with pytest.raises(error, match=message):
        as_image(given)


BAD_IMAGES = {
    "none": ([], ZooValueError, "at least one image, got an empty list"),
    "empty array": (np.zeros((0, 5, 5)), ZooValueError, r"at least one image, got shape \(0, 5, 5\)"),
    "empty names": (np.array([], str), ZooValueError, "at least one image, got an empty array"),
    "number": (3, ZooTypeError, "images must be paths, bytes, PIL images or arrays, got int"),
    "dict": ({"a": 1}, ZooTypeError, "got dict"),
    "one axis": (np.zeros(5), ZooValueError, r"images must be one array .*, got shape \(5,\)"),
    "channels first": (np.zeros((2, 3, 5, 5)), ZooValueError, r"images\[0\] must have 1, 3 or 4 channels"),
    "third": ([colours(), colours(), NAN], ZooValueError, r"images\[2\] must hold floats"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_what_holds_no_images_says_why(case):
    given, error, message = BAD_IMAGES[case]
    with pytest.raises(error, match=message):
        as_images(given)


def test_a_little_beyond_black_and_white_is_black_and_white():
    assert as_image(np.array([[-1e-6, 1.000001]])).tolist() == [[0, 255]]


def test_luminance_is_that_of_pillow():
    pixels = colours(200, 200)
    assert np.array_equal(luminance(pixels), np.asarray(Image.fromarray(pixels).convert("L")))
