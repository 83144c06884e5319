"""Which past items moved a recommendation: what is refused, and what each form of the file holds."""

import csv
import json

import numpy as np
import pytest

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise import HistoryExplanation

pytestmark = pytest.mark.once


def make(**changes):
    values = {
        "item": "pot <b>",
        "score": 3.25,
        "rank": 2,
        "history": ["tea", 7, "cup & saucer"],
        "weights": np.array([0.2, 0.5, 0.3]),
        "drops": np.array([0.1, -0.2, 1.5]),
        "effects": np.array([0.05, -0.12, 0.61]),
        "unknown": 1,
        "attention": {"encoder/block_1/attention": np.full((2, 3, 3), 1 / 3, "float32")},
    }
    return HistoryExplanation(**{**values, **changes})


def test_each_form_holds_all_items(tmp_path):
    found = make()
    assert found.save(tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    for suffix in ("svg", "html"):
        text = found.save(tmp_path / f"why.{suffix}").read_text(encoding="utf-8")
        assert "pot &lt;b&gt;" in text and "cup &amp; saucer" in text and "<b>" not in text
        assert "rank 2" in text and "1 unknown items skipped" in text
        assert "50.0 %" in text and "+61.0" in text
    with open(found.save(tmp_path / "why.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["item"] for row in rows] == ["tea", "7", "cup & saucer"] and float(rows[2]["drop"]) == 1.5
    told = json.loads(found.save(tmp_path / "why.json").read_text(encoding="utf-8"))
    assert told["item"] == "pot <b>" and told["history"][1] == {"item": 7, "weight": 0.5, "drop": -0.2, "effect": -0.12}
    assert found._repr_html_().startswith("<img")
    with pytest.raises(ZooValueError, match="path must end in"):
        found.save(tmp_path / "why.txt")


def test_a_long_history_is_drawn_too(tmp_path):
    count = 200
    found = make(
        history=list(range(count)),
        weights=np.full(count, 1 / count),
        drops=np.zeros(count),
        effects=np.linspace(-3, 1, count),
        attention={},
    )
    assert found.save(tmp_path / "why.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": np.array([0.5, 0.5])}, "weights must have one number for each of the 3"),
        ({"weights": np.array([0.5, 0.5, 0.5])}, "1 in all"),
        ({"drops": np.array([0.0, np.nan, 0.0])}, "drops must be finite"),
        ({"effects": np.zeros(4)}, "effects must have"),
        ({"attention": {"site": np.full((2, 2), -1.0)}}, "not below 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ZooValueError, match=words):
        make(**changes)
