"""Token strips, attention maps, and the colours and lines that they are made of."""

import re
import time

import numpy as np
import pytest
from PIL import Image

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise import map_grid, palette, token_strip
from attention_zoo.visualise.flow import Column, flow
from attention_zoo.visualise.fonts import Fonts
from attention_zoo.visualise.heatmap import shrink
from attention_zoo.visualise.segments import Segment, plain_segments, right_to_left

pytestmark = pytest.mark.once


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def count_of(path, colour):
    wanted = (255 * palette.from_hex(colour)).round().astype(int)
    return int((np.abs(pixels(path) - wanted).max(axis=-1) <= 2).sum())


def test_the_heaviest_word_has_the_full_colour(tmp_path):
    path = token_strip(["all", "on", "me"], [0.0, 0.1, 0.9], tmp_path / "strip.png")
    assert count_of(path, palette.LOOK) > 500


def test_effects_for_and_against_have_their_own_colours(tmp_path):
    path = token_strip(["good", "bad"], [0.4, -0.4], tmp_path / "strip.png", diverging=True)
    assert count_of(path, palette.FOR) > 500
    assert count_of(path, palette.AGAINST) > 500


def test_the_strip_as_svg_has_words_and_numbers(tmp_path):
    path = token_strip(["<good>", "bad"], [0.25, 0.75], tmp_path / "strip.svg", title="A & B")
    text = path.read_text()
    assert "&lt;good&gt;" in text
    assert "A &amp; B" in text
    assert "<title>bad: 75.0 %</title>" in text
    assert re.search(r">75</text>", text)


@pytest.mark.parametrize(
    ("tokens", "weights", "name", "words"),
    [
        (["a"], [0.5, 0.5], "x.png", "weights must have one number for each of the 1 tokens"),
        (["a", "b"], [np.nan, 1.0], "x.png", "weights must be finite, got nan at token 0"),
        (["a", "b"], [-0.5, 1.0], "x.png", "weights must be 0 or more"),
        (["a"], [1.0], "x.jpg", "path must end in .png or .svg"),
    ],
)
def test_a_strip_of_bad_numbers_is_one_sentence(tokens, weights, name, words, tmp_path):
    with pytest.raises(ZooValueError, match=words):
        token_strip(tokens, weights, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tokens", [[], ["one"], ["a", "a", "a", "a"]])
def test_none_one_and_even_weights_are_drawn(tokens, tmp_path):
    weights = np.full(len(tokens), 1 / max(len(tokens), 1))
    assert pixels(token_strip(tokens, weights, tmp_path / "strip.png")).size


def test_the_darkest_cell_of_a_map_is_its_largest_weight(tmp_path):
    maps = np.zeros((1, 3, 3))
    maps[0, 2, 0] = 0.8
    picture = pixels(map_grid(["a", "b", "c"], maps, tmp_path / "map.png"))
    grid = picture[130:, 57:]
    dark = np.argwhere(np.abs(grid - [0, 36, 26]).max(axis=-1) <= 2)
    middle = dark.mean(axis=0)
    rows = np.argwhere(np.abs(grid - [185, 190, 198]).max(axis=-1) == 0)  # the frame
    center = (rows.min(axis=0) + rows.max(axis=0)) / 2
    assert middle[0] > center[0]
    assert middle[1] < center[1]


def test_pooling_maps_have_one_row(tmp_path):
    tall = pixels(map_grid(list("abcdef"), np.full((1, 6, 6), 1 / 6), tmp_path / "full.png")).shape[0]
    flat = pixels(map_grid(list("abcdef"), np.full((1, 6), 1 / 6), tmp_path / "pool.png")).shape[0]
    assert flat < tall


def test_a_long_map_is_drawn_in_seconds(tmp_path):
    maps = np.zeros((3, 4096, 4096), np.float32)
    maps[:, np.arange(4096), np.arange(4096)] = 1.0
    start = time.process_time()
    path = map_grid([], maps, tmp_path / "long.png")
    assert time.process_time() - start < 5
    assert count_of(path, palette.MAP_LIGHT[-1]) > 3 * 500


def test_joined_cells_keep_the_largest_weight():
    maps = np.random.default_rng(0).random((2, 10, 7))
    small, step = shrink(maps, 4)
    assert (small.shape, step) == ((2, 4, 3), 3)
    assert small[1, 3, 2] == pytest.approx(maps[1, 9:, 6:].max())
    assert small[0, 1, 1] == pytest.approx(maps[0, 3:6, 3:6].max())


@pytest.mark.parametrize("maps", [np.zeros((0, 2, 2)), np.full((1, 2, 2), np.nan), -np.ones((1, 2, 2)), [["a"]]])
def test_bad_maps_are_one_sentence(maps, tmp_path):
    with pytest.raises(ZooValueError, match="maps must be"):
        map_grid(["a", "b"], maps, tmp_path / "map.png")


def column(width, narrowest=0.0):
    return Column(width, lambda text: 10.0 * len(text), padding=0.0, space=10.0, narrowest=[narrowest] * 99)


def test_words_wrap_and_none_leaves_the_column():
    parts = plain_segments(["aaa", "bbb", "cc", "x" * 25, "d"])
    boxes, lines = flow(parts, column(100))
    assert all(box.x >= 0 and box.x + box.width <= 100 for box in boxes)
    assert [box.line for box in boxes][:2] == [0, 0]
    assert lines == 1 + max(box.line for box in boxes)
    assert "".join(box.text for box in boxes) == "aaabbbcc" + "x" * 25 + "d"
    places = [(box.line, box.x) for box in boxes]
    assert places == sorted(places)


def test_pieces_of_a_word_stay_on_one_line():
    parts = [Segment("aaaa", (0,)), Segment(" "), Segment("bbb", (1,)), Segment("ccc", (2,)), Segment(".")]
    boxes, _ = flow(parts, column(80))
    assert [box.line for box in boxes] == [0, 1, 1, 1]


def test_text_from_right_to_left_is_mirrored():
    assert right_to_left("احجز a")
    assert right_to_left("1, שלום")
    assert not right_to_left("a שלום")
    boxes, _ = flow(plain_segments(["a", "b"]), column(100), mirrored=True)
    assert [box.x for box in boxes] == [90, 70]


def test_a_line_break_of_the_text_breaks_the_line():
    boxes, lines = flow([Segment("a", (0,)), Segment("\n"), Segment("b", (1,))], column(100))
    assert [box.line for box in boxes] == [0, 1]
    assert lines == 2


def test_a_glyph_that_no_font_has_is_said():
    fonts = Fonts()
    assert fonts.warning("plain text − ok") == ""
    assert "U+E123" in Fonts().warning("a \ue123")


def test_text_stays_readable_on_every_colour_of_both_modes():
    for colours in (palette.LIGHT, palette.DARK):
        for end in ("look", "for", "against", "paper"):
            for share in np.linspace(0, 1, 11):
                ground = palette.to_hex(palette.ramp(np.array(share), (colours["paper"], colours[end])))
                assert palette.contrast(colours["ink"], ground) >= 4.5
        assert palette.contrast(colours["muted"], colours["paper"]) >= 4.5


@pytest.mark.parametrize("stops", [palette.MAP_LIGHT, palette.MAP_DARK, (palette.PAPER, palette.LOOK)])
def test_equal_steps_look_equally_large(stops):
    lightness = palette.to_oklab(palette.ramp(np.linspace(0, 1, 21), stops) / 255.0)[:, 0]
    steps = np.diff(lightness)
    assert np.all(np.sign(steps) == np.sign(steps[0]))
    assert np.abs(steps).max() < 1.5 * np.abs(steps).min()


def test_colours_survive_the_way_to_oklab_and_back():
    colours = np.random.default_rng(0).random((50, 3))
    np.testing.assert_allclose(palette.from_oklab(palette.to_oklab(colours)) / 255.0, colours, atol=0.003)
