"""What each step says by itself: repeats joined, blanks dropped, and where each unit lies."""

import numpy as np
import pytest

from attention_zoo.errors import ZooError
from attention_zoo.search.ctc import Path, greedy

pytestmark = pytest.mark.once


def said(steps, vocabulary=7, sure=0.9):
    """Return log-probabilities at whose steps certain units are the likeliest."""
    shares = np.full((len(steps), vocabulary), (1 - sure) / (vocabulary - 1), "float32")
    shares[np.arange(len(steps)), steps] = sure
    return np.log(shares)


def test_repeats_are_joined_and_blanks_dropped():
    (path,) = greedy(said([0, 4, 4, 0, 4, 5, 5, 5, 0, 0, 6])[None])
    assert path.token_ids == (4, 4, 5, 6)
    assert path.starts == (1, 4, 5, 10) and path.ends == (3, 5, 8, 11)
    np.testing.assert_allclose(path.scores, [np.log(0.9)] * 4, rtol=1e-6)
    assert path.score == pytest.approx(11 * np.log(0.9), rel=1e-6)


def test_the_score_of_a_unit_is_the_mean_over_its_steps():
    chances = said([4, 4, 5])
    chances[1, 4] = -0.5
    (path,) = greedy(chances[None])
    np.testing.assert_allclose(path.scores, [(np.log(0.9) - 0.5) / 2, np.log(0.9)], rtol=1e-6)


def test_padding_and_what_is_banned_say_nothing():
    chances = np.full((2, 6, 7), -1e4, "float32")
    chances[..., 0] = 0.0
    chances[0, :4], chances[1, :6] = said([5, 5, 0, 5]), said([3, 3, 4, 0, 1, 2], sure=0.6)
    chances[1, [0, 1, 4, 5], 6] = np.log(0.3)
    first, second = greedy(chances)
    assert first == greedy(chances[:1, :4])[0] and first.token_ids == (5, 5)
    assert second.token_ids == (6, 4, 6)
    assert greedy(chances, banned=())[1].token_ids == (3, 4, 1, 2)
    assert greedy(chances, blank=5, banned=())[0].token_ids == (0, 0)


def test_silence_and_no_steps_say_nothing():
    assert greedy(said([0, 0, 0])[None])[0].token_ids == ()
    assert greedy(np.zeros((1, 0, 5))) == [Path((), (), (), (), 0.0)]
    assert greedy(np.zeros((0, 4, 5))) == []


@pytest.mark.parametrize(
    ("chances", "sentence"),
    [
        (np.zeros((3, 5)), r"log_probabilities must be \[batch, steps, vocabulary\], got shape \(3, 5\)"),
        (np.full((1, 2, 3), np.nan), "log_probabilities must be numbers, got NaN"),
    ],
)
def test_other_arrays_are_refused(chances, sentence):
    with pytest.raises(ZooError, match=sentence):
        greedy(chances)
