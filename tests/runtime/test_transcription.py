"""Pieces become one transcript; settings are checked; a language model ranks what a decoder found."""

import numpy as np
import pytest

from attention_zoo.audio import Letters
from attention_zoo.errors import ZooValueError
from attention_zoo.runtime.transcription import Heard, Hearing, by_ctc, reranked, transcribed
from attention_zoo.text.ngram import NGram

pytestmark = pytest.mark.once

UNITS = Letters(" ab")
BLANK, SPACE, A, B = 0, 4, 5, 6


def sure(path):
    """Return log-probabilities that say a path of units and blanks."""
    chances = np.full((len(path), len(UNITS)), np.log(1e-6))
    chances[np.arange(len(path)), path] = np.log(1 - 1e-6 * (len(UNITS) - 1))
    return chances


def test_pieces_are_joined_rank_by_rank_and_keep_their_times():
    first = Heard([((A, B), -1.0), ((A,), -2.0)], sure([A, BLANK, B, BLANK]), 0.0)
    second = Heard([((B, SPACE, A), -3.0)], sure([B, SPACE, A]), 10.0)
    found = transcribed([first, second], UNITS.decode, 2, (UNITS, 0.04))
    assert (found.text, found.score) == ("ab b a", -2.0)
    assert found.others == (("a b a", -2.5),)
    assert [word.text for word in found.words] == ["ab", "b", "a"]
    assert [word.start for word in found.words] == pytest.approx([0.0, 10.0, 10.08])


def test_nothing_heard_is_an_empty_transcript():
    silent = Heard([((), -0.1)], sure([BLANK, BLANK]))
    found = transcribed([silent], UNITS.decode, 1, (UNITS, 0.04))
    assert (found.text, found.words) == ("", ())
    assert transcribed([], UNITS.decode, 2, None).others == (("", 0.0),)


def test_greedy_and_beam_agree_where_all_is_sure():
    chances = sure([A, A, BLANK, A, SPACE, B])
    for beam in (1, 4):
        ((ids, _),) = by_ctc(chances, Hearing(beam=beam), None, SPACE)
        assert list(ids) == [A, A, SPACE, B]


def test_a_language_model_ranks_what_a_decoder_found():
    language = NGram.train([[B, B], [B, B, B]], 2, len(UNITS))
    found = [((A, A), -1.0), ((B, B), -1.1)]
    ranked = reranked(found, Hearing(beam=2, nbest=1, lm_weight=1.0), language)
    assert [ids for ids, _ in ranked] == [(B, B)]
    longer = reranked([((B,), -1.0), ((B, B), -1.0)], Hearing(beam=2, lm_weight=0.01, length_bonus=5.0), language)
    assert longer[0][0] == (B, B)


def test_what_is_asked_for_goes_before_what_is_usual():
    usual = {"beam": 8, "ctc_weight": 0.4, "lm_weight": 0.3, "length_bonus": 1.0, "max_length": 50}
    alone = Hearing.of(usual, {"beam": 2, "nbest": None}, None)
    assert (alone.beam, alone.lm_weight, alone.length_bonus) == (2, 0.0, 0.0)
    assert Hearing.of(usual, {}, "a model").lm_weight == 0.3
    settings = Hearing.of(usual, {"nbest": 2}, "a model").of_decoder()
    assert (settings.beam, settings.nbest, settings.length_penalty) == (8, 8, 0.0)
    assert Hearing(ctc_weight=0.0, nbest=3).of_decoder().nbest == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"beam": 0}, "beam must be"),
        ({"nbest": 9}, "nbest must be at most beam"),
        ({"ctc_weight": 1.5}, "ctc_weight must be a number from 0 to 1, got 1.5"),
        ({"lm_weight": 0.5}, "wants a language model"),
        ({"beems": 2}, "'beems' is unknown"),
    ],
)
def test_settings_that_cannot_work_are_refused(asked, words):
    with pytest.raises(ZooValueError, match=words):
        Hearing.of({"beam": 8}, asked, None)
