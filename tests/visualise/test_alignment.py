"""An alignment joins pieces into words, checks its numbers, and saves itself in four ways."""

import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as tree
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.visualise import Alignment, Axis, palette
from attention_zoo.visualise.alignment_words import coarser, words_of

pytestmark = pytest.mark.once

NASTY = '</script><script>alert(1)</script> <img src=x onerror="a()"> & \x1b[31m \u202e \ud800 it\'s'


class Piece(NamedTuple):
    text: str
    start: int
    end: int
    index: int


def pieces(text, length=4, end=True):
    """Cut a text as a tokenizer may: words into pieces, each sign alone, then the end mark."""
    spans = [
        (start, min(start + length, found.end()))
        for found in re.finditer(r"\w+|[^\w\s]", text)
        for start in range(found.start(), found.end(), length)
    ]
    spans += [(len(text), len(text))] if end else []
    return [Piece(text[a:b] or "[EOS]", a, b, place) for place, (a, b) in enumerate(spans)]


def shares(rows, columns, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(columns, 0.2), rows) if columns else np.zeros((rows, 0))


def align(source, target, **changes):
    columns, rows = pieces(source), pieces(target)
    weights = shares(len(rows), len(columns))
    given = {"columns": columns, "rows": rows, "weights": weights, "score": -0.5, "attention": {"cross": weights[None]}}
    return Alignment(source, target=target, **(given | changes))


def spoken(frames=80, target="go forward ten meters", **axis):
    rows = pieces(target)
    return Alignment("", Axis(frames, 0.04, unit="s", name="time"), target, rows, shares(len(rows), frames))


PAIRS = {
    "sentence": ("A dog runs.", "Ein Hund läuft."),
    "one word": ("Dog", "Hund"),
    "nothing": ("", ""),
    "long words": ("insurance law", "Kraftfahrzeughaftpflichtversicherung Rindfleischetikettierungsgesetz" * 3),
    "right to left": ("יקרא ספר", "يقرأ الولد كتابا"),
    "no blanks": ("He rides a bicycle.", "他骑自行车。"),
    "emoji": ("I like it 😀🎉", "Gefällt mir 👩‍🚀"),
    "nasty": (NASTY, NASTY),
    "long": ("a b c d e " * 30, "v w x y z " * 20),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("suffix", [".PNG", ".svg", ".html", ".json"])
def test_every_pair_is_saved_in_every_way(pair, suffix, tmp_path):
    path = align(*pair).save(tmp_path / f"alignment{suffix}")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    check(path)


def check(path):
    if path.suffix.lower() == ".png":
        with Image.open(path) as picture:
            picture.load()
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10
    elif path.suffix == ".svg":
        assert tree.parse(path).getroot().tag.endswith("svg")
    elif path.suffix == ".json":
        json.loads(path.read_text())
    else:
        assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_columns_of_a_word_are_added_and_its_rows_averaged():
    source, target = "brown dogs", "Hunde"
    columns = [Piece("brown", 0, 5, 0), Piece("do", 6, 8, 1), Piece("gs", 8, 10, 2), Piece("[EOS]", 10, 10, 3)]
    rows = [Piece("Hun", 0, 3, 0), Piece("de", 3, 5, 1), Piece("[EOS]", 5, 5, 2)]
    weights = [[0.1, 0.2, 0.6, 0.1], [0.3, 0.4, 0.3, 0.0], [0.0, 0.0, 0.0, 1.0]]
    words = Alignment(source, columns, target, rows, weights).words()
    assert [word.text for word in words.columns] == ["brown", "dogs", "[EOS]"]
    assert [word.text for word in words.rows] == ["Hunde", "[EOS]"]
    assert [word.mark for word in words.columns] == [False, False, True]
    assert words.weights.dtype == np.float32
    np.testing.assert_allclose(words.weights, [[0.2, 0.75, 0.05], [0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_over_words_the_shares_are_still_one_in_all(pair):
    words = align(*pair).words()
    np.testing.assert_allclose(words.weights.sum(axis=1), 1.0, atol=1e-5)
    assert [place for word in words.rows for place in word.tokens] == list(range(len(align(*pair).rows)))


@pytest.mark.parametrize(
    ("text", "length", "words"),
    [
        ("Well-known T-Shirts don't cost 3.50!", 2, ["Well-known", "T-Shirts", "don't", "cost", "3.50", "!"]),
        ("ends. Then, -begins", 3, ["ends", ".", "Then", ",", "-", "begins"]),
        ("他骑自行车。", 1, ["他", "骑", "自", "行", "车", "。"]),
        ("他骑自行车。", 2, ["他骑", "自行", "车", "。"]),
        ("ピザを食べる", 3, ["ピザを", "食べる"]),
        ("الولد كتابا", 2, ["الولد", "كتابا"]),
        ("हिन्दी में", 2, ["हिन्दी", "में"]),
        ("cafe\u0301 noir", 5, ["cafe\u0301", "noir"]),
    ],
)
def test_words_are_what_a_reader_of_the_script_takes_for_words(text, length, words):
    spans = [
        (start, min(start + length, found.end()))
        for found in re.finditer(r"[^\s!.,。-]+|[!.,。-]", text)
        for start in range(found.start(), found.end(), length)
    ]
    assert [word.text for word in words_of(text, [Piece(text[a:b], a, b, 0) for a, b in spans])] == words


def test_bytes_of_one_character_are_one_word_and_blanks_go_with_the_word_after():
    tokens = [Piece("ð", 0, 1, 0), Piece("Ł", 0, 1, 1), Piece(" ", 1, 2, 2), Piece(" ok", 1, 4, 3), Piece(" ", 4, 5, 4)]
    words = words_of("😀 ok ", tokens)
    assert [(word.text, word.tokens) for word in words] == [("😀", (0, 1)), ("ok", (2, 3, 4))]


def test_links_take_the_heaviest_word_or_all_above_a_threshold():
    weights = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]])
    alignment = align("big dog", "Hund da", weights=weights, attention={})
    assert [(link.target, link.source) for link in alignment.links()] == [("Hund", "big")]
    found = alignment.links(0.2)
    assert [(link.row, link.column) for link in found] == [(0, 0), (0, 1), (1, 1)]
    assert found[1].weight == pytest.approx(0.3)
    assert align("", "").links() == []
    for wrong in (0, 1.5, float("nan")):
        with pytest.raises(ZooValueError, match="threshold must be above 0"):
            alignment.links(wrong)


def test_an_axis_stands_in_place_of_words(tmp_path):
    alignment = spoken()
    assert alignment.words().columns == alignment.columns
    assert alignment.words().weights.shape == (5, 80)
    best = int(alignment.words().weights[0].argmax())
    assert alignment.links()[0].source == f"{best * 0.04:.2f} to {(best + 1) * 0.04:.2f} s"
    for suffix in (".png", ".svg", ".html", ".json"):
        check(alignment.save(tmp_path / f"spoken{suffix}"))
    assert "time (s)" in (tmp_path / "spoken.svg").read_text()
    assert json.loads((tmp_path / "spoken.json").read_text())["columns"]["unit"] == "s"


@pytest.mark.parametrize(
    ("axis", "label"),
    [
        (Axis(9, 0.04, unit="s"), "0.12 to 0.16 s"),
        (Axis(9, 0.025, 1.0), "1.075 to 1.100"),
        (Axis(9, 20.0, -60.0, "ms"), "0 to 20 ms"),
    ],
)
def test_the_label_of_a_column_tells_it_from_the_next(axis, label):
    assert axis.label(3) == label
    assert len({axis.label(place) for place in range(9)}) == 9


def test_joined_frames_keep_their_sum():
    words = spoken(1003).words()
    fewer = coarser(words, 100)
    assert fewer.weights.shape == (5, 92)
    assert (fewer.columns.count, fewer.columns.step) == (92, pytest.approx(0.44))
    np.testing.assert_allclose(fewer.weights.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(fewer.weights[:, 1], words.weights[:, 11:22].sum(axis=1), rtol=1e-5)


def test_every_number_is_in_the_dictionary():
    alignment = align("A dog runs.", "Ein Hund läuft.")
    found = json.loads(json.dumps(alignment.to_dict()))
    np.testing.assert_allclose(found["weights"], alignment.weights, rtol=1e-5)
    np.testing.assert_allclose(found["words"]["weights"], alignment.words().weights, rtol=1e-5, atol=1e-6)
    assert found["rows"][1] == {"text": "Hund", "start": 4, "end": 8, "index": 1}
    assert [word["text"] for word in found["words"]["columns"]] == ["A", "dog", "runs", ".", "[EOS]"]
    assert (found["score"], found["source"], found["target"]) == (-0.5, "A dog runs.", "Ein Hund läuft.")
    assert np.shape(found["attention"]["cross"]) == (1, 6, 5)


def test_sides_are_told_by_size_or_given():
    columns, rows = 5, 6
    maps = {"a": (2, rows, columns), "b": (2, columns, columns), "c": (2, rows, rows), "d": (2, 3, columns)}
    alignment = align(
        "A dog runs.", "Ein Hund läuft.", attention={site: np.ones(shape) for site, shape in maps.items()}
    )
    assert alignment.sides == {
        "a": ("target", "source"),
        "b": ("source", "source"),
        "c": ("target", "written"),
        "d": ("", "source"),
    }
    same = {"attention": {"a": np.ones((1, 3, 3)), "b": np.ones((1, 3, 3))}, "sides": {"b": ("source", "source")}}
    assert align("a b", "c d", **same).sides == {"a": ("", ""), "b": ("source", "source")}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": np.ones((3, 2)) / 2}, r"a row for each of the 3 target pieces.*\(3, 2\)"),
        ({"weights": np.full((3, 3), np.nan)}, "weights must be finite, got nan at row 0, column 0"),
        ({"weights": np.ones((3, 3))}, "each row at most 1 in all.*row 0 with sum 3"),
        ({"weights": np.full((3, 3), -0.1)}, "0 or more.*least -0.1"),
        ({"weights": [["a"] * 3] * 3}, "weights must be 3 x 3 numbers"),
        ({"score": float("nan")}, "score must be finite"),
        ({"attention": {"x": np.full((1, 3, 3), np.inf)}}, r"attention\['x'\] must be finite"),
        ({"sides": {"y": ("target", "source")}}, "sides must be of sites in attention, got 'y'"),
        ({"sides": {"cross": ("target", "keys")}}, r"sides\['cross'\] must be two of source, target, written"),
        ({"rows": [Piece("c", 0, 1, 0), Piece("d", 2, 9, 1), Piece("e", 3, 3, 2)]}, r"rows\[1\] must lie in.*end 9"),
        ({"columns": [Piece("b", 2, 3, 0), Piece("a", 0, 1, 1), Piece("e", 3, 3, 2)]}, r"columns\[1\].*predecessor"),
    ],
)
def test_bad_numbers_get_one_sentence(changes, words):
    with pytest.raises(ZooValueError, match=words):
        align("a b", "c d", **changes)


@pytest.mark.parametrize(
    ("given", "words"),
    [({"count": -1}, "count"), ({"count": 3, "step": 0.0}, "step must"), ({"count": 3, "start": np.inf}, "start must")],
)
def test_a_bad_axis_gets_one_sentence(given, words):
    with pytest.raises(ZooValueError, match=words):
        Axis(**given)


def test_an_unknown_suffix_and_a_missing_folder_leave_nothing_behind(tmp_path):
    with pytest.raises(ZooValueError, match=r"path must end in one of .png .svg .html .json, got .*x.gif"):
        align("a", "b").save(tmp_path / "x.gif")
    with pytest.raises(ZooFileError, match="cannot be written"):
        align("a", "b").save(tmp_path / "missing" / "x.png")
    assert not list(tmp_path.iterdir())


def pixels(alignment, path):
    with Image.open(alignment.save(path)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_darkest_cell_of_the_picture_is_the_largest_weight(tmp_path):
    weights = np.zeros((3, 3))
    weights[0, 2], weights[1:, 0] = 0.9, 0.4
    picture = pixels(align("a b", "c d", weights=weights, attention={}), tmp_path / "x.png")
    dark = np.abs(picture - (255 * palette.from_hex(palette.MAP_LIGHT[-1])).round()).max(axis=-1) <= 2
    half = np.abs(picture - palette.ramp(np.array(0.4 / 0.9), palette.MAP_LIGHT).astype(int)).max(axis=-1) <= 2
    # Pixels of the bar of the legend stand above both.
    dark, half = (np.median(np.argwhere(found), axis=0) for found in (dark, half))
    assert dark[0] < half[0]
    assert dark[1] > half[1]


@pytest.mark.parametrize("count", [1, 8, 30, 60])
def test_up_to_60_words_each_has_its_name(count, tmp_path):
    source, target = (" ".join(f"landscape{letter}{place}" for place in range(count - 1)) for letter in "st")
    root = tree.parse(align(source, target, attention={}).save(tmp_path / "x.svg")).getroot()
    found = [label for label in root.iter() if label.tag.endswith("text")]
    names = {label.text for label in found}
    assert names >= {*source.split(), *target.split(), "[EOS]"}
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(0 <= float(label.get("x", 0)) < width and 0 <= float(label.get("y", 0)) < height for label in found)
    cells = [part for part in root.iter() if part.tag.endswith("rect") and part.get("x")]
    assert max(float(cell.get("x")) + float(cell.get("width")) for cell in cells) < width
    # Dense weights and long names are the worst case: most cells can be seen, and each carries both its words.
    assert (tmp_path / "x.svg").stat().st_size < 600_000


def test_a_long_pair_is_drawn_in_seconds_and_stays_small(tmp_path):
    text = "a b c d e " * 400
    long = align(text, text, attention={})
    start = time.process_time()
    sizes = [long.save(tmp_path / f"x{suffix}").stat().st_size for suffix in (".png", ".svg", ".html")]
    assert time.process_time() - start < 15
    assert max(sizes) < 3_000_000


def test_an_attention_that_stopped_is_shown_and_said(tmp_path):
    weights = np.zeros((3, 3))
    weights[0, 0] = 1.0
    alignment = align("a b", "c d", weights=weights, attention={})
    assert len(alignment.links()) == 1
    assert "looked nowhere" in alignment.save(tmp_path / "x.svg").read_text()
    assert "looked nowhere" not in align("a b", "c d").save(tmp_path / "y.svg").read_text()


def test_to_hold_an_alignment_loads_no_drawing_library():
    code = (
        "import sys, attention_zoo.visualise as v; v.Alignment('', (), '', (), []).words(); "
        "print([m for m in ('PIL', 'rich', 'matplotlib', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
