import builtins
import math

import pytest

from attention_zoo.errors import ZooImportError, ZooTypeError, ZooValueError
from attention_zoo.text.bleu import measures, moses_words

pytestmark = pytest.mark.once

REFERENCES = ["A man's dog runs over the green grass.", "Two girls, both in red, play with a ball."]


@pytest.mark.parametrize("language", [None, "en"])
def test_the_reference_itself_is_perfect(language):
    found = measures(REFERENCES, REFERENCES, language)
    assert [found[name] for name in ("bleu", "bleu_tokenised", "chrf")] == pytest.approx([100, 100, 100])


def test_signatures_say_how_each_was_counted():
    found = measures(REFERENCES, REFERENCES, "de")
    assert found["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert found["chrf_signature"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
    assert "tok:none|smooth:none" in found["bleu_tokenised_signature"]
    assert "lowercase" in found["bleu_tokenised_signature"] and ".de," in found["bleu_tokenised_signature"]
    assert "case:lc" in measures(REFERENCES, REFERENCES)["bleu_tokenised_signature"]


def test_bleu_is_that_of_the_formula():
    hypothesis, reference = "the cat sat on the red mat", "the cat sat on the mat today"
    # n-grams in common of those said: 6 of 7, 4 of 6, 3 of 5, 2 of 4; both are 7 words long.
    wanted = 100 * math.exp(sum(map(math.log, (6 / 7, 4 / 6, 3 / 5, 2 / 4))) / 4)
    found = measures([hypothesis], [reference], "en")
    assert found["bleu"] == pytest.approx(wanted) == found["bleu_tokenised"]
    assert measures(["the cat sat"], [reference])["bleu_tokenised"] == 0  # no run of four


def test_case_counts_in_one_and_not_in_the_other():
    found = measures([text.lower() for text in REFERENCES], REFERENCES)
    assert found["bleu"] < 90
    assert found["bleu_tokenised"] == pytest.approx(100)


def test_words_are_cut_as_the_published_files_are():
    english = "One man holds another man's head, “down”."
    assert moses_words([english], "en") == ["one man holds another man &apos;s head , &quot; down . &quot;"]
    assert moses_words(["Eine  Frau\nmit  z. B.  Hut."], "de") == ["eine frau mit z. b. hut ."]
    assert moses_words(["L'homme d'ici."], "fr") == ["l&apos; homme d&apos; ici ."]


def test_a_blank_translation_is_allowed_and_a_blank_reference_is_not():
    assert measures(["", REFERENCES[1]], REFERENCES, "en")["bleu"] < 60
    with pytest.raises(ZooValueError, match=r"references\[1\] must hold at least one word"):
        measures(REFERENCES, [REFERENCES[0], " "])


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (([], []), ZooValueError, "at least one translation"),
        ((["a"], ["a", "b"]), ZooValueError, r"one for each hypothesis \(1\), got 2"),
        (([5], ["a"]), ZooTypeError, r"hypotheses\[0\] must be a string, got int 5"),
        ((["a"], ["a"], "xx"), ZooValueError, "language must be en, de, fr, cs or None, got 'xx'"),
    ],
)
def test_what_cannot_be_judged_is_refused(arguments, kind, message):
    with pytest.raises(kind, match=message):
        measures(*arguments)


def test_without_the_library_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **options):
        if name.startswith("sacrebleu"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(ZooImportError, match=r"attention-zoo\[train\]"):
        measures(["a"], ["a"])
