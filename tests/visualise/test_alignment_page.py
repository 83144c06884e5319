"""The page of an alignment: words that belong together, a matrix, maps of every head; alone and harmless."""

import base64
import html.parser
import io
import json
import re
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from attention_zoo.visualise import Alignment, Axis, palette
from attention_zoo.visualise.alignment_assets import FILTERS, LEVELS, STYLE
from attention_zoo.visualise.alignment_page import page

pytestmark = pytest.mark.once

NASTY = '</script><script>alert(1)</script> <img src=x onerror="a()"> & \x1b[31m \u202e \ud800 it\'s'


class Piece(NamedTuple):
    text: str
    start: int
    end: int
    index: int


def pieces(text, pattern=r"\S+"):
    spans = [found.span() for found in re.finditer(pattern, text)] + [(len(text), len(text))]
    return [Piece(text[a:b] or "[EOS]", a, b, place) for place, (a, b) in enumerate(spans)]


def align(source, target, **changes):
    columns, rows = pieces(source), pieces(target)
    weights = np.random.default_rng(0).dirichlet(np.full(len(columns), 0.2), len(rows))
    given = {"columns": columns, "rows": rows, "weights": weights, "score": -0.5, "attention": {"cross": weights[None]}}
    return Alignment(source, target=target, **(given | changes))


class Reader(html.parser.HTMLParser):
    """Collect the tags and the visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = self.inside or tag in ("script", "style")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("script", "style")

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)

    def having(self, name):
        return [attributes for _, attributes in self.tags if name in attributes]


def stored(shown):
    return json.loads(re.search(r'<script type="application/json" id="store">(.*?)</script>', shown).group(1))


def grey(attributes):
    content = base64.b64decode(attributes["src"].removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


def test_no_text_of_the_user_becomes_html():
    good, bad = Reader(page(align("a b c", "d e"))), Reader(page(align(NASTY, NASTY, attention={})))
    assert {tag for tag, _ in bad.tags} <= {tag for tag, _ in good.tags}
    assert sum(tag == "script" for tag, _ in bad.tags) == 2
    assert not [name for _, attributes in bad.tags for name in attributes if name.startswith("on")]
    assert "</script><script>alert(1)</script>" in "".join(bad.words)
    named = page(align("a b", "c d", attention={NASTY: np.ones((1, 3, 3))}))
    assert sum(tag == "script" for tag, _ in Reader(named).tags) == 2
    text = re.search(r'id="store">(.*?)</script>', page(align(NASTY, NASTY))).group(1)
    assert not set("<>") & set(text)
    assert not set("\x1b\u202e\ud800") & set(page(align(NASTY, NASTY)))


def test_what_lies_between_the_words_becomes_no_html_either():
    columns, rows = pieces(NASTY, "it"), pieces(NASTY, "img")
    shown = Reader(page(Alignment(NASTY, columns, NASTY, rows, np.full((2, 2), 0.5))))
    assert sum(tag == "script" for tag, _ in shown.tags) == 2
    assert "img" not in {tag for tag, _ in shown.tags}
    # The title of the page, and both sentences.
    assert "".join(shown.words).count("<script>alert(1)</script> <img src=x") == 3


def test_the_page_stands_alone():
    shown = page(align("a b c", "d e"))
    for tag, attributes in Reader(shown).tags:
        assert tag not in ("link", "iframe", "object", "base")
        assert "href" not in attributes
        assert attributes.get("src", "data:").startswith("data:")
    assert not re.search(r"https?://|@import|fetch\(|eval\(|innerHTML|url\((?!#)", shown)
    assert "default-src 'none'" in shown


def test_the_page_reads_without_scripts():
    reader = Reader(page(align("A dog runs .", "Ein Hund läuft .")))
    words = "".join(reader.words)
    for part in ("A dog runs .", "Ein Hund läuft .", "score −0.5", "The matrix", "cross, 1 head", "largest"):
        assert part in words
    assert [attributes["data-row"] for attributes in reader.having("data-row")] == list("01234")
    assert sum(tag == "td" for tag, _ in reader.tags) == 5 * 5 + 1
    assert all("hidden" in attributes for _, attributes in reader.tags if "how" in attributes.get("class", "").split())


def test_the_script_finds_all_that_it_looks_for():
    shown = page(align("a b", "c d"))
    code = shown[shown.rindex("<script>") :]
    found = {attributes["id"] for attributes in Reader(shown).having("id")}
    assert set(re.findall(r'getElementById\("(\w+)"\)', code)) <= found
    assert {attributes.get("class") for _, attributes in Reader(shown).tags} >= {"map", "matrix", "note how"}


def test_words_that_belong_together_are_stored_by_their_share():
    weights = np.array([[0.6, 0.396, 0.004], [0, 0, 1], [0.2, 0.3, 0.5]])
    store = stored(page(align("a b", "c d", weights=weights)))
    assert store["pairs"] == [[0, 600, 1, 396], [2, 1000], [0, 200, 1, 300, 2, 500]]
    assert store["names"]["rows"] == ["c", "d", "[EOS]"]
    assert store["names"]["columns"] == ["a", "b", "[EOS]"]
    assert store["names"]["written"] == ["[BOS]", "c", "d"]


def test_cells_carry_their_percent_and_the_heaviest_the_full_colour():
    weights = np.array([[0.8, 0.196, 0.004], [0, 0, 0.5], [0, 0, 0]])
    shown = page(align("a b", "c d", weights=weights))
    cells = re.findall(r"<td(?: class=\"l(\d+)\")?>(\d*)</td>", shown)
    assert cells[:3] == [(str(LEVELS), "80"), ("8", "20"), ("", "")]
    assert cells[3:6] == [("", ""), ("", ""), ("20", "50")]
    assert "looked nowhere" in shown


def test_maps_keep_their_numbers_and_large_ones_their_peaks():
    maps = np.random.default_rng(0).random((2, 3, 3))
    found = Reader(page(align("a b", "c d", attention={"site": maps}))).having("data-largest")
    assert len(found) == 2
    for one, attributes in zip(maps, found):
        np.testing.assert_allclose(grey(attributes) / 255 * float(attributes["data-largest"]), one, atol=0.003)
    large = np.zeros((4, 1500, 2000), np.float32)
    large[3, 1234, 17] = 0.5
    shown = page(align("a b", "c d", attention={"site": large}))
    assert len(shown) < 1_000_000
    attributes = Reader(shown).having("data-largest")[3]
    down, across = int(attributes["data-down"]), int(attributes["data-across"])
    assert max(grey(attributes).shape) <= 500
    assert np.argwhere(grey(attributes) > 0).tolist() == [[1234 // down, 17 // across]]


def test_a_map_says_what_its_rows_and_columns_are():
    attention = {"cross": np.ones((1, 4, 3)), "self": np.ones((1, 4, 4))}
    found = Reader(page(align("a b", "c d e", attention=attention))).having("data-largest")
    assert [(one["data-rows"], one["data-columns"]) for one in found] == [("target", "source"), ("target", "written")]


def test_many_words_are_a_picture_with_names_at_its_edges():
    shown = page(align("a b c d e " * 20, "v w x y z " * 20, attention={}))
    assert "<table" not in shown
    attributes = Reader(shown).having("data-largest")[0]
    assert grey(attributes).shape == (101, 101)
    assert (attributes["data-rows"], attributes["data-columns"]) == ("rows", "columns")
    assert len(re.findall(r'<span style="top:', shown)) == 21
    assert len(Reader(shown).having("data-row")) == 101


def test_frames_of_sound_are_a_line_of_blocks():
    rows = pieces("go on")
    weights = np.random.default_rng(0).dirichlet(np.full(3000, 0.1), 3)
    axis = Axis(3000, 0.01, unit="s", name="time")
    shown = page(Alignment("talk.wav", axis, "go on", rows, weights, attention={"cross": weights[None]}))
    reader = Reader(shown)
    assert len(reader.having("data-column")) == 120
    assert "talk.wav" in "".join(reader.words)
    assert reader.having("data-column")[1]["aria-label"] == "0.25 to 0.50 s"
    matrix, head = reader.having("data-largest")
    assert grey(matrix).shape == (3, 120)
    assert (grey(head).shape[0], head["data-down"], head["data-across"]) == (3, "1", "3")
    assert len(shown) < 200_000


def test_nothing_written_is_said():
    shown = page(Alignment("", (), "", (), []))
    assert "There is no word to point at." in shown
    assert "The matrix" not in shown


def test_numbers_stay_readable_in_cells_of_both_modes():
    cells = re.findall(r"\.l\d+\{background:(#\w+);color:(#\w+)\}", STYLE)
    assert len(cells) == 2 * LEVELS
    assert min(palette.contrast(*pair) for pair in cells) >= 4.5


@pytest.mark.parametrize(("name", "stops"), [("light", palette.MAP_LIGHT), ("dark", palette.MAP_DARK)])
def test_the_filter_of_a_mode_gives_the_colours_of_the_ramp(name, stops):
    part = FILTERS[FILTERS.index(f'id="{name}"') :]
    tables = [np.array(values.split(), float) for values in re.findall(r'tableValues="([^"]+)"', part)[:3]]
    grey_values = np.linspace(0, 1, 101)
    found = np.stack([np.interp(grey_values, np.linspace(0, 1, len(table)), table) for table in tables], axis=-1)
    np.testing.assert_allclose(found, palette.ramp(grey_values, stops) / 255, atol=0.02)
