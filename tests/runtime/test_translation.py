"""Long texts are translated in parts, and settings of a search come from where they must."""

from types import SimpleNamespace

import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.runtime import Translation, preprocessor_class
from attention_zoo.runtime.runner import PREPROCESSORS, RUNNERS, runner_class
from attention_zoo.runtime.translation import decoding, join, split

pytestmark = pytest.mark.once

USUAL = {"beam": 5, "length_penalty": 0.6, "max_length": 40}


def test_parts_find_back_to_their_texts():
    preprocessor = SimpleNamespace(split=lambda text: text.split(".") if "." in text else [text])
    parts, owners = split(preprocessor, ["a b", "", "c. .d", " "])
    assert (parts, owners) == (["a b", "c", "d"], [0, 2, 2])
    found = [[("A", -1.0), ("AA", -2.0)], [("C", -1.0), ("CC", -3.0)], [("D", -2.0), ("", -5.0)]]
    joined = join(found, owners, 4, 2)
    assert joined[0] == Translation("A", -1.0, (("AA", -2.0),))
    assert joined[1] == joined[3] == Translation("", 0.0, (("", 0.0),))
    assert joined[2] == Translation("C D", -1.5, (("CC", -4.0),))


def test_what_was_asked_for_comes_before_what_is_usual():
    settings = decoding(USUAL, {"beam": None, "max_length": 7, "nbest": 2})
    assert (settings.beam, settings.length_penalty, settings.max_length, settings.nbest) == (5, 0.6, 7, 2)
    assert decoding(USUAL, {"sample": True}).beam == 1
    with pytest.raises(ZooValueError, match="sample=True draws one hypothesis"):
        decoding(USUAL, {"sample": True, "beam": 3})


def test_every_family_has_what_reads_and_what_answers():
    assert set(RUNNERS) == set(PREPROCESSORS)
    for family in RUNNERS:
        assert runner_class(family).needs
        assert preprocessor_class(family).example
    with pytest.raises(ZooValueError, match="family 'translater' is unknown; the nearest names are 'translator'"):
        runner_class("translater")
