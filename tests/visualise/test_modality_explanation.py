"""An explanation of several modalities checks its numbers and saves itself in four ways, whatever is missing."""

import json
import re
import xml.etree.ElementTree as tree
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise import FramesView, ModalityExplanation, SoundView, VectorsView, WordsView
from attention_zoo.visualise.modality_sheet import busiest, compose
from attention_zoo.visualise.sheet import Label

pytestmark = pytest.mark.once

NASTY = '</script><script>alert(1)</script> <img src=x onerror="a()"> & \x1b[31m'


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


def shares(*shape):
    """Return random shares of 1."""
    return np.random.default_rng(0).dirichlet(np.ones(int(np.prod(shape)))).reshape(shape)


def frames(count=3):
    return FramesView([np.full((24, 20), 90, np.uint8)] * count, shares(count, 3, 2))


def sound(count=130):
    return SoundView(np.random.default_rng(0).normal(size=(count, 40)), shares(count), 0.01)


def words(text="so glad to see you"):
    tokens = [Piece(m.group(), m.start(), m.end(), i) for i, m in enumerate(re.finditer(r"\S+", text))]
    return WordsView(text, tokens, shares(len(tokens)))


def vectors(steps=4, names=()):
    return VectorsView(
        np.random.default_rng(0).normal(size=(steps, 20)), shares(steps), np.linspace(-0.1, 0.2, 20), names
    )


def explain(label="happy", views=None, gates=None, **changes):
    views = {"image": frames(), "audio": sound(), "text": words()} if views is None else views
    effects = {name: 0.0 if view is None else 0.3 * place - 0.2 for place, (name, view) in enumerate(views.items())}
    score = -2.0 + sum(effects.values())
    given = {"label": label, "score": score, "prior": -2.0, "effects": effects, "views": views, "gates": gates}
    return ModalityExplanation(Said(label, 0.9, (label,)), **(given | changes))


CASES = {
    "raw": {},
    "features": {"views": {"image": vectors(1), "audio": vectors(), "text": vectors(2)}},
    "missing": {"views": {"image": None, "audio": None, "text": words()}},
    "one": {"views": {"audio": sound(3)}},
    "gates": {"gates": {"image": 0.5, "audio": 0.2, "text": 0.3}},
    "many pictures": {"views": {"image": frames(20), "text": words()}},
    "nasty": {"label": NASTY, "views": {"image": vectors(1, [NASTY] * 20), "text": words(NASTY)}, "note": NASTY},
}


@pytest.mark.parametrize("case", CASES)
def test_every_explanation_saves_itself_in_four_ways(case, tmp_path):
    explained = explain(**CASES[case])
    with Image.open(explained.save(tmp_path / "a.png")) as picture:
        assert picture.width == 1800 and picture.height > 500
    tree.parse(explained.save(tmp_path / "a.svg"))
    page = explained.save(tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<section>") == 1 + len(explained.views)
    assert "alert(1)</script>" not in page and "<img src=x" not in page
    assert "default-src 'none'" in page and "http" not in page.replace("http://www.w3.org/2000/svg", "").replace(
        "http-equiv", ""
    )
    told = json.loads(explained.save(tmp_path / "a.json").read_text())
    assert told["label"] == explained.label
    assert list(told["views"]) == list(explained.views)
    assert abs(told["prior"] + sum(told["effects"].values()) - told["score"]) < 1e-5
    assert explained._repr_html_().startswith("<img alt=")


def texts(explained):
    """Return all labels of the picture."""
    return [shape.text for shape in compose(explained).shapes if isinstance(shape, Label)]


def test_what_is_missing_has_an_empty_panel_that_says_so():
    shown = texts(explain(views={"image": None, "audio": sound(), "text": None}))
    assert "No image: it is missing in this row." in shown and "No text: it is missing in this row." in shown
    assert shown.count("missing") == 2
    assert not any("No audio" in text for text in shown)


def test_bars_point_to_the_side_of_their_sign_and_are_as_long_as_their_numbers():
    explained = explain(score=-1.4, effects={"image": -0.2, "audio": 0.4, "text": 0.4})
    bars = {shape.hint.split(":")[0]: shape for shape in compose(explained).shapes if "×" in getattr(shape, "hint", "")}
    assert bars["image"].x + bars["image"].width == pytest.approx(bars["audio"].x)
    assert bars["audio"].width == pytest.approx(2 * bars["image"].width)
    assert bars["image"].fill != bars["audio"].fill == bars["text"].fill
    assert explained.shares == pytest.approx({"image": 0.2, "audio": 0.4, "text": 0.4})


def test_numbers_of_a_vector_are_named_and_stand_in_the_order_of_what_they_did():
    names = [f"unit {place}" for place in range(20)]
    shown = texts(explain(views={"image": vectors(1, names)}))
    units = [text for text in shown if text.startswith("unit")]
    assert units[:3] == ["unit 19", "unit 18", "unit 17"] and len(units) == 12


def test_the_busiest_stretch_is_the_shortest_that_holds_the_share():
    weights = np.array([0.1, 0.1, 0.3, 0.25, 0.05, 0.2])
    assert busiest(weights) == (2, 4)
    assert busiest(np.full(4, 0.25), share=1.0) == (0, 4)
    assert busiest(np.array([1.0])) == (0, 1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: explain(score=-1.0), "add up to the score"),
        (lambda: explain(gates={"image": 1.0}), "gates must be of image, audio, text"),
        (lambda: explain(effects={"text": 0.0}), "views must be of text"),
        (lambda: FramesView([np.zeros((4, 4), np.uint8)], shares(2, 1, 1)), r"weights must be \[1 pictures"),
        (lambda: SoundView(np.zeros((3, 4)), np.full(3, 0.5), 0.01), "1 in all"),
        (lambda: SoundView(np.zeros((3, 4)), shares(2), 0.01), "one number for each"),
        (lambda: VectorsView(np.zeros((1, 3)), np.ones(1), np.zeros(3), ("a",)), "names must be one for each of the 3"),
        (lambda: VectorsView(np.full((1, 3), np.nan), np.ones(1), np.zeros(3)), "values must be finite"),
        (lambda: explain().save("a.pdf"), "path must end in one of"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(make, told):
    with pytest.raises(ZooValueError, match=told):
        make()
