"""An explanation checks its numbers and saves itself in four ways."""

import base64
import html.parser
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as tree
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.visualise import Explanation, page, render

pytestmark = pytest.mark.once

NASTY = '</script><script>alert(1)</script> <img src=x onerror="a()"> & \x1b[31m \u202e \ud800 it\'s'


class Piece(NamedTuple):
    text: str
    start: int
    end: int
    index: int


@dataclass(frozen=True)
class Said:
    label: str
    score: float
    labels: tuple = ()
    scores: dict | None = None
    out_of_scope: float | None = None


def explain(text, pattern=r"\S+", label="book_flight", **changes):
    tokens = [Piece(m.group(), m.start(), m.end(), i) for i, m in enumerate(re.finditer(pattern, text))]
    count = len(tokens)
    weights = np.random.default_rng(0).dirichlet(np.ones(count)) if count else np.zeros(0)
    given = {
        "attention": {"block.attention": np.full((2, count, count), 1 / max(count, 1))} if count else {},
        "weights": weights,
        "effects": {label: weights - 0.1, "other<label>": 0.1 - weights},
    }
    return Explanation(text, tokens, Said(label, 0.9, (label,), None, 0.1), **(given | changes))


TEXTS = {
    "sentence": "book me a flight to rome",
    "nothing": "   ",
    "one word": "hello",
    "compound": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    "scripts": "احجز 请帮我 שלום 😀🎉 naïve",
    "nasty": NASTY,
    "lines": "one\n\ntwo\tthree",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("suffix", [".png", ".svg", ".html", ".json", ".PNG"])
def test_every_text_is_saved_in_every_way(text, suffix, tmp_path):
    path = explain(text).save(tmp_path / f"why{suffix}")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if suffix.lower() == ".png":
        with Image.open(path) as picture:
            picture.load()
            assert picture.width == 1800
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10
    elif suffix == ".svg":
        assert tree.parse(path).getroot().tag.endswith("svg")
    elif suffix == ".json":
        assert json.loads(path.read_text())["text"] == text
    else:
        assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_every_number_of_a_token_is_in_the_dictionary():
    explanation = explain("book me a flight")
    found = json.loads(json.dumps(explanation.to_dict()))
    np.testing.assert_allclose(found["weights"], explanation.weights, rtol=1e-5)
    np.testing.assert_allclose(found["effects"]["book_flight"], explanation.effects["book_flight"], rtol=1e-5)
    assert np.shape(found["attention"]["block.attention"]) == (2, 4, 4)
    assert found["tokens"][3] == {"text": "flight", "start": 10, "end": 16, "index": 3}
    assert found["answer"]["out_of_scope"] == 0.1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": [0.5, 0.5]}, r"weights.*3 tokens.*\(2,\)"),
        ({"weights": [0.5, np.nan, 0.5]}, "weights must be finite, got nan at token 1"),
        ({"weights": [0.2, 0.2, 0.2]}, "1 in all.*sum 0.6"),
        ({"weights": [1.2, -0.2, 0.0]}, "0 or more.*least -0.2"),
        ({"weights": ["a", "b", "c"]}, "weights must be 3 numbers"),
        ({"effects": {"yes": [0.0, np.inf, 0.0]}}, r"effects\['yes'\] must be finite, got inf"),
        ({"attention": {"site": np.full((1, 3, 3), np.nan)}}, r"attention\['site'\] must be finite"),
        ({"attention": {"site": np.zeros((0, 3))}}, r"attention\['site'\] must be numbers"),
        ({"tokens": [Piece("a", 0, 1, 0), Piece("b", 2, 3, 1), Piece("c", 4, 99, 2)]}, r"tokens\[2\].*end 99"),
        ({"tokens": [Piece("b", 2, 3, 0), Piece("a", 0, 1, 1), Piece("c", 4, 5, 2)]}, r"tokens\[1\].*predecessor"),
    ],
)
def test_bad_numbers_get_one_sentence(changes, words):
    good = explain("a b c")
    given = {name: getattr(good, name) for name in ("text", "tokens", "answer", "weights", "effects", "attention")}
    with pytest.raises(ZooValueError, match=words):
        Explanation(**(given | changes))


def test_an_unknown_suffix_and_a_missing_folder_leave_nothing_behind(tmp_path):
    with pytest.raises(ZooValueError, match=r"path must end in one of .png .svg .html .json, got .*why.gif"):
        explain("a b").save(tmp_path / "why.gif")
    with pytest.raises(ZooFileError, match="cannot be written"):
        explain("a b").save(tmp_path / "missing" / "why.png")
    with pytest.raises(ZooFileError, match="cannot be written"):
        (tmp_path / "folder.png").mkdir()
        explain("a b").save(tmp_path / "folder.png")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.png"]


def test_the_text_can_be_read_whole_from_its_segments():
    text = "Well, naïve 😀 café … ok"
    explanation = explain(text, r"\w+")
    assert "".join(part.text for part in explanation.segments()) == text
    assert [part.text for part in explanation.segments() if part.tokens] == ["Well", "naïve", "café", "ok"]


def test_tokens_that_share_a_character_are_one_segment_with_their_sum():
    tokens = [Piece("ðŁ", 0, 1, 0), Piece("ĺ", 0, 1, 1), Piece("ok", 1, 4, 2)]
    explanation = Explanation("😀 ok", tokens, Said("joy", 0.9), weights=[0.2, 0.3, 0.5])
    assert [(part.text, part.tokens) for part in explanation.segments() if part.tokens] == [
        ("😀", (0, 1)),
        ("ok", (2,)),
    ]
    assert 'data-n="50.0 %"><span>😀</span>' in page(explanation)


def test_a_long_rest_that_was_not_read_is_said_not_shown():
    text = "one two " + "unread " * 100
    tokens = [Piece("one", 0, 3, 0), Piece("two", 4, 7, 1)]
    shown = page(Explanation(text, tokens, Said("x", 0.9), weights=[0.5, 0.5]))
    assert "699 more characters were not read" in shown
    assert "unread unread" not in shown


class Reader(html.parser.HTMLParser):
    """Collect the tags and the visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.inside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = [tag] if tag in ("script", "style") else self.inside

    def handle_endtag(self, tag):
        self.inside = [] if tag in ("script", "style") else self.inside

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)


def test_no_text_of_the_user_becomes_html():
    label = '"><script>alert(3)</script>'
    good, bad = Reader(page(explain("a b", label="fine"))), Reader(page(explain(NASTY, label=label)))
    assert {tag for tag, _ in bad.tags} == {tag for tag, _ in good.tags}
    assert sum(tag == "script" for tag, _ in bad.tags) == 2
    assert not [name for _, attributes in bad.tags for name in attributes if name.startswith("on")]
    assert "</script><script>alert(1)</script>" in "".join(bad.words)
    assert label in "".join(bad.words)
    stored = re.search(r'id="store">(.*?)</script>', page(explain(NASTY))).group(1)
    assert not set("<>") & set(stored)
    assert json.loads(stored)["words"][0] == "</script><script>alert(1)</script>"
    assert not set("\x1b\u202e\ud800") & set(page(explain(NASTY)))


def test_a_notebook_shows_the_picture_and_no_text_of_the_user_as_html():
    shown = explain("<script>", label='"><script>')._repr_html_()
    assert shown.startswith('<img alt="Why ') and "<script>" not in shown
    png = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', shown)[1])
    assert png.startswith(b"\x89PNG")


def test_the_page_stands_alone():
    reader = Reader(page(explain("book me a flight")))
    for tag, attributes in reader.tags:
        assert tag not in ("link", "img", "iframe", "object", "base")
        assert not {"src", "href"} & set(attributes)
    shown = page(explain("book me a flight"))
    assert not re.search(r"https?://|@import|url\(|fetch\(|eval\(|innerHTML", shown)
    assert "default-src 'none'" in shown


def test_the_page_reads_without_scripts():
    words = "".join(Reader(page(explain("book me a flight"))).words)
    assert words.count("bookme") == 0
    for part in ("book me a flight", "Most: “", "of the attention", "speaks for", "All numbers", "other<label>"):
        assert part in words
    hidden = [attributes for tag, attributes in Reader(page(explain("book me"))).tags if "data-class" in attributes]
    assert len(hidden) == 2
    assert not any("hidden" in attributes for attributes in hidden)


def test_maps_in_the_page_keep_their_numbers_and_large_ones_their_peaks():
    import base64

    def stored(explanation):
        text = re.search(r'<script type="application/json" id="store">(.*?)</script>', page(explanation)).group(1)
        site = json.loads(text)["sites"]["site"]
        cells = np.frombuffer(base64.b64decode(site["data"]), "<u2").reshape(
            site["heads"], site["rows"], site["columns"]
        )
        return site, cells / 65535 * site["largest"]

    maps = np.random.default_rng(0).random((2, 3, 3))
    site, cells = stored(explain("a b c", attention={"site": maps}))
    assert site["step"] == 1
    np.testing.assert_allclose(cells, maps, atol=1e-5)
    large = np.zeros((4, 2000, 2000), np.float32)
    large[3, 1234, 17] = 0.5
    explanation = explain("a b c", attention={"site": large})
    site, cells = stored(explanation)
    assert site["full"] == [2000, 2000]
    assert len(page(explanation)) < 3_000_000
    step = site["step"]
    assert np.argwhere(cells > 0).tolist() == [[3, 1234 // step, 17 // step]]


def test_the_terminal_shows_words_and_numbers_without_colours():
    from rich.console import Console

    console = Console(width=200, no_color=True, force_terminal=False)
    with console.capture() as seen:
        console.print(render(explain("[red]book[/red] \x1b[31m me", label="[bold]x")))
    text = seen.get()
    assert "[red]book[/red] \ufffd[31m me" in text
    assert "[bold]x" in text
    assert "Most: “" in text
    assert "\x1b" not in text


def test_even_attention_has_middling_colours_and_one_word_the_full():
    even = explain("a b c d", weights=[0.25] * 4)
    assert page(even).count('style="--v:0.500"') == 4
    assert 'style="--v:1.000"' in page(explain("a", weights=[1.0], effects={}))


def test_to_hold_an_explanation_loads_no_drawing_library():
    code = (
        "import sys, attention_zoo.visualise as v; v.Explanation; "
        "print([m for m in ('PIL', 'rich', 'matplotlib', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
