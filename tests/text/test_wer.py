"""Errors of transcripts, counted by words and by letters."""

import pytest

from attention_zoo.errors import ZooError
from attention_zoo.text.wer import errors, measures, normalised

pytestmark = pytest.mark.once


def test_words_and_letters_are_counted_over_all_utterances():
    found = measures(["a b d", "x y z z", ""], ["a b c", "x z", "q"])
    # One word for another; one too many and one too many; one left out.
    assert (found["substitutions"], found["insertions"], found["deletions"]) == (1, 2, 1)
    assert (found["words"], found["utterances"]) == (6, 3)
    assert found["wer"] == pytest.approx(4 / 6)
    # "a b d" and "a b c": 1; "x y z z" and "x z": 4; "" and "q": 1; of 5 + 3 + 1 letters.
    assert (found["letter_errors"], found["letters"]) == (6, 9)
    assert found["cer"] == pytest.approx(6 / 9)
    assert found["sentence_errors"] == 1


def test_case_blanks_and_forms_of_letters_are_no_errors_but_signs_are():
    assert normalised("  The\tCAT\u00a0 sat\n") == "the cat sat"
    assert measures([" Cafe\u0301  NOIR "], ["caf\u00e9 noir"])["cer"] == 0
    assert measures(["it's 3."], ["its 3"])["wer"] == 1
    assert measures(["it's"], ["it's"])["sentence_errors"] == 0


def test_each_utterance_has_its_own_errors():
    first, second = errors(["One  two", "three"], ["one three", ""])
    assert (first.hypothesis, first.reference) == ("one two", "one three")
    assert (first.substitutions, first.errors, first.words) == (1, 1, 2)
    assert (second.insertions, second.errors, second.words, second.letters, second.letter_errors) == (1, 1, 0, 0, 5)
    both = measures(["One  two", "three"], ["one three", ""])
    assert both["wer"] == 1 and both["insertions"] == 1


@pytest.mark.parametrize(
    ("hypotheses", "references", "sentence"),
    [
        ([], [], "hypotheses must hold at least one transcript, got none"),
        (["a"], ["a", "b"], r"references must be one for each hypothesis \(1\), got 2"),
        (["a"], [" "], "references must hold at least one word, got blank ones only"),
        (["a", 3], ["a", "b"], r"hypotheses\[1\] must be a string, got int 3"),
        (["a"], [None], r"references\[0\] must be a string, got NoneType"),
    ],
)
def test_what_cannot_be_judged_is_refused(hypotheses, references, sentence):
    with pytest.raises(ZooError, match=sentence):
        measures(hypotheses, references)
