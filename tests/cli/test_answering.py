"""Labels and translations are printed alike."""

from types import SimpleNamespace

import pytest

from attention_zoo.answers import Answer
from attention_zoo.cli.answering import headline, record, rows
from attention_zoo.recsys import Recommendation, Suggestion
from attention_zoo.runtime import Transcript, Translation
from attention_zoo.search.ctc import Word

pytestmark = pytest.mark.once


def test_an_answer_of_each_kind_is_a_record_with_its_input():
    told = record("text", "ein Hund", Translation("a dog", -0.5, (("the dog", -0.75),)))
    assert told == {"text": "ein Hund", "translation": "a dog", "score": -0.5, "others": [["the dog", -0.75]]}
    assert record("text", "", Translation("", 0.0)) == {"text": "", "translation": "", "score": 0.0}
    assert record("text", "a", Answer("x", 0.5, ("x",)))["label"] == "x"
    heard = Transcript("a dog", -2.0, (Word("a", 0.1, 0.2, -0.5),), (("the dog", -3.0),))
    assert record("sound", "dog.wav", heard) == {
        "sound": "dog.wav",
        "transcript": "a dog",
        "score": -2.0,
        "words": [{"text": "a", "start": 0.1, "end": 0.2, "score": -0.5}],
        "others": [["the dog", -3.0]],
    }


def test_other_answers_stand_below_the_best():
    translated = rows("ein Hund", Translation("a dog", -0.5, (("the dog", -0.75),)))
    assert translated == [("-0.500", "a dog", "ein Hund"), ("  -0.750", "  the dog", "")]
    labelled = rows("a", Answer("x", 0.75, ("x",), {"y": 0.25, "x": 0.75}))
    assert labelled == [("0.750", "x", "a"), ("  0.750", "  x", ""), ("  0.250", "  y", "")]
    assert rows("", Translation("", 0.0)) == [("0.000", "-", "")]
    assert rows("dog.wav", Transcript("a dog", -2.0)) == [("-2.000", "a dog", "dog.wav")]


def test_recommended_items_stand_one_below_the_other():
    found = Recommendation((Suggestion("tea", 2.5, 1), Suggestion(7, 0.5, 2)), unknown=1)
    assert rows(["cup", 3], found) == [("2.500", "tea", "cup 3"), ("  0.500", "  7", "")]
    assert rows([], Recommendation((), cold=True)) == [("0.000", "-", "")]
    assert record("history", ["cup", 3], found) == {
        "history": ["cup", 3],
        "recommended": [{"item": "tea", "score": 2.5, "rank": 1}, {"item": 7, "score": 0.5, "rank": 2}],
        "cold": False,
        "unknown": 1,
    }


def test_what_was_explained_is_one_line():
    assert headline(SimpleNamespace(answer=Answer("x", 0.75, ("x", "y")))) == "0.750  x, y"
    assert headline(SimpleNamespace(score=-0.5, target="a dog")) == "-0.500  a dog"
    assert headline(SimpleNamespace(score=None, target="a dog")) == "a dog"
    assert headline(SimpleNamespace(score=2.5, item=7)) == "2.500  7"
