"""Heat over pictures, rollout, and the explanation of a picture in four ways."""

import base64
import html.parser
import io
import json
import xml.etree.ElementTree as tree
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.visualise import (
    ImageExplanation,
    Panel,
    attention_rollout,
    grid_of,
    heat_overlay,
    overlay_sheet,
)

pytestmark = pytest.mark.once

NASTY = '</script><script>alert(1)</script> <img src=x onerror="a()"> & \x1b[31m \u202e \ud800 it\'s'


@dataclass(frozen=True)
class Said:
    label: str
    score: float
    labels: tuple = ()
    scores: dict | None = None
    out_of_scope: float | None = None


def picture(height=28, width=28, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def explain(label="Ankle boot", image=None, **changes):
    random = np.random.default_rng(0)
    weights = random.dirichlet(np.ones(49)).reshape(7, 7)
    given = {
        "attention": {
            "block_1.attention": random.dirichlet(np.ones(49), size=(2, 49)),
            "windows": np.ones((3, 4, 4)) / 4,
        },
        "grids": {"block_1.attention": (7, 7)},
        "gates": {"gate.spatial": random.random((14, 14)), "gate.channel": random.random(16)},
        "weights": weights,
        "effects": {label: weights - 0.02, "other<label>": 0.02 - weights},
    }
    return ImageExplanation(picture() if image is None else image, Said(label, 0.9, (label,)), **(given | changes))


IMAGES = {
    "grey": picture(),
    "flat": picture()[..., 0],
    "colour": picture(32, 32, 3),
    "wide": picture(40, 900, 3),
    "one pixel": picture(1, 1),
    "floats": picture(9, 12) / 255.0,
    "black": np.zeros((28, 28), np.uint8),
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("suffix", [".png", ".svg", ".html", ".json", ".PNG"])
def test_every_picture_is_saved_in_every_way(image, suffix, tmp_path):
    path = explain(image=image).save(tmp_path / f"why{suffix}")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if suffix.lower() == ".png":
        with Image.open(path) as saved:
            saved.load()
            assert saved.width == 1800
    elif suffix == ".svg":
        root = tree.parse(path).getroot()
        links = [part.get("href") for part in root.iter() if part.tag.endswith("image")]
        assert links and all(link.startswith("data:image/png;base64,") for link in links)
    elif suffix == ".json":
        stored = json.loads(path.read_text())["image"]
        with Image.open(io.BytesIO(base64.b64decode(stored["png"]))) as saved:
            assert saved.size == (stored["width"], stored["height"]) == (np.shape(image)[1], np.shape(image)[0])
    else:
        assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]


def test_a_nasty_label_stays_text_and_the_page_loads_nothing(tmp_path):
    site = {NASTY: np.full((2, 4, 4), 0.25)}
    gates = {NASTY: np.ones(3)}
    explanation = explain(NASTY, attention=site, grids={NASTY: (2, 2)}, gates=gates)
    text = explanation.save(tmp_path / "why.html").read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.tags.count("script") == 1
    assert reader.addresses and all(address.startswith("data:image/png;base64,") for address in reader.addresses)
    assert "default-src 'none'" in text and "http://" not in text and "https://" not in text
    line = Reader()
    line.feed(explanation._repr_html_())
    assert line.tags == ["img"]
    for suffix in (".png", ".svg", ".json"):
        explanation.save(tmp_path / f"why{suffix}")


def test_the_page_draws_each_site_with_a_grid_and_each_of_its_heads(tmp_path):
    text = explain().save(tmp_path / "why.html").read_text(encoding="utf-8")
    assert "Heads of <bdi>block_1.attention</bdi>" in text and text.count("head 2") == 2
    assert "windows" not in text
    assert "gate.<wbr>spatial" in text and "16 channels" in text
    found = explain().to_dict()
    assert np.shape(found["attention"]["windows"]) == (3, 4, 4)
    assert json.loads(json.dumps(found))["grids"] == {"block_1.attention": [7, 7]}


def test_looks_is_the_mean_of_the_queries_without_the_class_token():
    maps = np.zeros((2, 5, 5))
    maps[0, :, 3] = 1.0
    maps[1, :, 0] = 1.0
    found = explain(attention={"site": maps}, grids={"site": (2, 2)}).looks("site")
    np.testing.assert_array_equal(found, [[[0, 0], [1, 0]], [[0, 0], [0, 0]]])
    assert explain().looks("windows") is None


def test_an_explanation_without_maps_is_a_picture_and_its_answer(tmp_path):
    bare = ImageExplanation(picture(), Said("cat", 0.5))
    for suffix in (".png", ".html", ".json"):
        bare.save(tmp_path / f"why{suffix}")
    assert bare.to_dict()["weights"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": np.zeros((4, 4, 2), np.uint8)}, r"image must be \[height, width\].*\(4, 4, 2\)"),
        ({"image": np.zeros((4, 4), np.int64)}, "image must be uint8.*int64"),
        ({"image": np.full((4, 4), 7.0)}, "from 0 to 1"),
        ({"weights": np.full(49, 1 / 49)}, r"weights must be \[height, width\], got shape \(49,\)"),
        ({"weights": np.full((2, 2), 0.4)}, "weights must be 1 in all, got sum 1.6"),
        ({"weights": np.array([[1.5, -0.5]])}, "weights must be 0 or more, got least -0.5"),
        ({"effects": {"yes": np.array([[np.nan]])}}, r"effects\['yes'\] must be finite"),
        ({"gates": {"g": np.zeros((2, 2, 2))}}, r"gates\['g'\] must be \[height, width\]"),
        ({"attention": {"s": -np.ones((1, 4))}, "grids": {}}, r"attention\['s'\] must be finite and not below 0"),
        ({"grids": {"windows": (3, 3)}}, r"grids\['windows'\] must have 4 places, or one less, got 3 x 3"),
        ({"grids": {"nothing": (3, 3)}}, "grids must be of sites in attention, got 'nothing'"),
    ],
)
def test_bad_numbers_get_one_sentence(changes, words):
    with pytest.raises(ZooValueError, match=words):
        explain(**changes)


def test_an_unknown_suffix_and_a_missing_folder_leave_nothing_behind(tmp_path):
    with pytest.raises(ZooValueError, match=r"path must end in one of .png .svg .html .json, got .*why.gif"):
        explain().save(tmp_path / "why.gif")
    with pytest.raises(ZooFileError, match="cannot be written"):
        explain().save(tmp_path / "missing" / "why.png")
    with pytest.raises(ZooValueError, match=r".png or .svg"):
        overlay_sheet([Panel(picture())], tmp_path / "sheet.jpg")
    with pytest.raises(ZooValueError, match="at least one"):
        overlay_sheet([], tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())


def saturation(pixels):
    pixels = np.asarray(pixels).astype(int)
    return pixels.max(axis=-1) - pixels.min(axis=-1)


@pytest.mark.parametrize("smooth", [True, False])
def test_heat_lies_where_the_number_is_and_nowhere_else(smooth):
    values = np.zeros((4, 4))
    values[0, 3] = 1.0
    shown = saturation(heat_overlay(picture(channels=3), values, smooth=smooth))
    side = shown.shape[0]
    assert shown[: side // 8, -side // 8 :].min() > 100
    assert shown[side // 2 :, : side // 2].max() <= 3


def test_heat_is_even_a_monotone_colour_of_the_number():
    shown = saturation(heat_overlay(np.full((8, 8), 120, np.uint8), np.linspace(0, 1, 8)[None], smooth=False))
    steps = shown[0, :: shown.shape[1] // 8]
    assert np.all(np.diff(steps) > 5)


def test_effects_for_and_against_have_hues_of_their_own():
    values = np.array([[1.0, -1.0]])
    shown = np.asarray(heat_overlay(np.zeros((8, 8), np.uint8), values, diverging=True, smooth=False)).astype(int)
    left, right = shown[0, 0], shown[0, -1]
    assert left[0] > left[2] + 80 and right[2] > right[0] + 80
    alone = saturation(heat_overlay(np.zeros((8, 8), np.uint8), np.zeros((2, 2))))
    assert alone.max() <= 3


def test_tiny_pictures_are_enlarged_with_hard_edges_and_large_ones_shrunk():
    image = np.array([[0, 255], [255, 0]], np.uint8)
    shown = heat_overlay(image, np.zeros((1, 1)))
    assert shown.size == (336, 336)
    assert len(shown.getcolors(100)) == 2
    assert heat_overlay(picture(600, 1200, 3), np.zeros((1, 1))).size == (336, 168)


@pytest.mark.parametrize("dark", [False, True])
def test_a_sheet_holds_all_panels_on_light_and_dark_paper(dark, tmp_path):
    panels = [Panel(picture(seed=n), f"said {n}", "is 3", np.eye(7) / 7 if n % 2 else None) for n in range(5)]
    path = overlay_sheet(panels, tmp_path / "sheet.png", title="Five", columns=3, dark=dark)
    with Image.open(path) as saved:
        corner = saved.convert("RGB").getpixel((2, 2))
        assert (max(corner) < 60) == dark
        assert saved.width == 2 * (56 + 3 * 168 + 2 * 20)


def test_rollout_of_one_layer_is_its_mean_with_the_residual():
    maps = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 4))
    wanted = (0.5 * np.eye(4) + 0.5 * maps.mean(axis=0)).mean(axis=0)
    np.testing.assert_allclose(attention_rollout([maps]), wanted, atol=1e-12)


def test_rollout_follows_a_chain_through_the_layers():
    # Token 0 reads 1 in the last layer, and 1 reads 2 in the first: so the answer of token 0 came from 2.
    first, last = np.eye(3), np.eye(3)
    first[1], last[0] = [0, 0, 1], [0, 1, 0]
    found = attention_rollout([first[None], last[None]], residual=0.0, readout=np.array([1.0, 0, 0]))
    np.testing.assert_allclose(found, [0, 0, 1])
    swapped = attention_rollout([last[None], first[None]], residual=0.0, readout=np.array([1.0, 0, 0]))
    np.testing.assert_allclose(swapped, [0, 1, 0])


@pytest.mark.parametrize("heads", ["mean", "max", "min"])
def test_rollout_equals_matrix_products_written_out(heads):
    random = np.random.default_rng(1)
    maps = [random.dirichlet(np.ones(5), size=(2, 5)) for _ in range(3)]
    joint = np.eye(5)
    for layer in maps:
        mixed = 0.5 * np.eye(5) + 0.5 * getattr(np, heads)(layer, axis=0)
        joint = mixed / mixed.sum(axis=1, keepdims=True) @ joint
    wanted = joint[0, 1:] / joint[0, 1:].sum()
    np.testing.assert_allclose(attention_rollout(maps, heads=heads, readout="class"), wanted, atol=1e-12)
    pooled = random.dirichlet(np.ones(5), size=2)
    np.testing.assert_allclose(
        attention_rollout(maps, heads=heads, readout=pooled), pooled.mean(axis=0) @ joint, atol=1e-12
    )


def test_rollout_of_masked_rows_is_finite():
    maps = np.zeros((1, 3, 3))
    np.testing.assert_allclose(attention_rollout([maps], residual=0.0).sum(), 1)


@pytest.mark.parametrize(
    ("maps", "settings", "words"),
    [
        ([], {}, "one or more"),
        ([np.ones((1, 3, 3)), np.ones((1, 4, 4))], {}, r"same number of tokens, got \[3, 4\]"),
        ([np.ones((1, 3, 4))], {}, r"maps\[0\] must be .*\(1, 3, 4\)"),
        ([-np.ones((1, 3, 3))], {}, "not below 0"),
        ([np.ones((1, 3, 3))], {"heads": "median"}, "heads 'median' is unknown"),
        ([np.ones((1, 3, 3))], {"readout": "last"}, "readout 'last' is unknown"),
        ([np.ones((1, 3, 3))], {"readout": np.ones(4)}, r"readout must be \[3\]"),
        ([np.ones((1, 3, 3))], {"residual": 2}, "residual must be from 0 to 1, got 2"),
        ([np.ones((1, 1, 1))], {"readout": "class"}, "class token and at least one more"),
    ],
)
def test_maps_that_cannot_be_rolled_out_get_one_sentence(maps, settings, words):
    with pytest.raises(ZooValueError, match=words):
        attention_rollout(maps, **settings)


@pytest.mark.parametrize(
    ("count", "height", "width", "wanted"),
    [
        (49, 28, 28, (7, 7)),
        (8, 32, 64, (2, 4)),
        (6, 64, 96, (2, 3)),
        (50, 28, 28, None),
        (1, 5, 5, (1, 1)),
        (0, 5, 5, None),
    ],
)
def test_places_are_laid_out_with_nearly_square_patches(count, height, width, wanted):
    assert grid_of(count, height, width) == wanted
