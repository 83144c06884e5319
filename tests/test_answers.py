import numpy as np
import pytest

from attention_zoo.answers import decide, out_of_scope_score
from attention_zoo.errors import ZooValueError

pytestmark = pytest.mark.once

LABELS = ("a", "b", "c")


def test_the_best_label_comes_with_its_probability():
    (answer,) = decide(np.log([[0.2, 0.7, 0.1]]), LABELS)
    assert answer.label == "b"
    assert answer.labels == ("b",)
    assert answer.score == pytest.approx(0.7)
    assert answer.scores is None


def test_all_scores_come_on_request_in_the_models_order():
    (answer,) = decide(np.log([[0.2, 0.7, 0.1]]), LABELS, all_scores=True)
    assert list(answer.scores) == list(LABELS)
    assert list(answer.scores.values()) == pytest.approx([0.2, 0.7, 0.1])


def test_what_is_added_to_all_logits_does_not_change_the_scores():
    logits = np.random.default_rng(0).normal(size=(5, 3))
    for one, other in zip(decide(logits, LABELS), decide(logits + 100, LABELS)):
        assert one.label == other.label
        assert one.score == pytest.approx(other.score)


def test_temperature_softens_the_scores_and_keeps_the_labels():
    (sharp,), (soft,) = (decide([[3.0, 1.0, 0.0]], LABELS, temperature=t) for t in (1.0, 4.0))
    assert sharp.label == soft.label == "a"
    assert sharp.score > soft.score > 1 / 3


@pytest.mark.parametrize("multi_label", [False, True])
def test_huge_logits_give_finite_scores(multi_label):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        answers = decide([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], LABELS, multi_label=multi_label, all_scores=True)
    assert answers[0].score == 1.0
    assert all(0 <= score <= 1 for answer in answers for score in answer.scores.values())


def test_several_labels_are_those_over_their_own_thresholds_best_first():
    logits = np.log([[0.6 / 0.4, 0.9 / 0.1, 0.3 / 0.7]])
    (answer,) = decide(logits, LABELS, multi_label=True)
    assert answer.labels == ("b", "a")
    assert (answer.label, answer.score) == ("b", pytest.approx(0.9))
    assert answer.out_of_scope is None
    (answer,) = decide(logits, LABELS, multi_label=True, thresholds=[0.7, 0.95, 0.2])
    assert answer.labels == ("c",)
    assert answer.score == pytest.approx(0.3)


def test_no_label_over_its_threshold_is_an_empty_answer():
    (answer,) = decide([[-1.0, -2.0, -3.0]], LABELS, multi_label=True)
    assert (answer.label, answer.labels) == ("", ())
    assert answer.score == pytest.approx(1 / (1 + np.e))


def test_a_text_that_no_label_claims_is_more_out_of_scope():
    scores = out_of_scope_score(np.array([[9.0, 0, 0], [3.0, 0, 0], [0, 0, 0], [-5.0, -5, -5]]), 1.0)
    assert (np.diff(scores) > 0).all()
    assert ((scores > 0) & (scores < 1)).all()
    assert scores[2] == pytest.approx(0.5)
    assert [answer.out_of_scope for answer in decide([[3.0, 0, 0]], LABELS)] == pytest.approx([scores[1]])


def test_no_rows_give_no_answers():
    assert decide(np.zeros((0, 3)), LABELS) == []


BAD = {
    "labels": ([[1.0, 2.0]], {}, r"logits must be \[batch, 3 labels\], got \[1, 2\]"),
    "flat": ([1.0, 2.0, 3.0], {}, r"logits must be \[batch, labels\], got \[3\]"),
    "nan": ([[0.0, 0, 0], [0, np.nan, 0]], {}, "logits must be finite; row 1 is not"),
    "temperature": ([[0.0, 0, 0]], {"temperature": 0.0}, "temperature must be above 0, got 0.0"),
    "nan temperature": ([[0.0, 0, 0]], {"temperature": float("nan")}, "temperature must be above 0, got nan"),
    "count": ([[0.0, 0, 0]], {"multi_label": True, "thresholds": [0.5]}, "thresholds must be 3 numbers"),
    "range": ([[0.0, 0, 0]], {"multi_label": True, "thresholds": [0.5, 2, 0]}, "thresholds must be from 0 to 1"),
    "single": ([[0.0, 0, 0]], {"thresholds": [0.5, 0.5, 0.5]}, "thresholds are for multi_label=True only"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_one_clear_sentence(case):
    logits, arguments, message = BAD[case]
    with pytest.raises(ZooValueError, match=message):
        decide(logits, LABELS, **arguments)
