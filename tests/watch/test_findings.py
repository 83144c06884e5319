"""The kind of a finding follows what the statistics of the head say, in a known order."""

import math

import pytest

from attention_zoo.watch import GATE, KINDS, MIX, Finding
from attention_zoo.watch.findings import classify

pytestmark = pytest.mark.once

USUAL = {"entropy": 0.7, "peak": 0.3, "top5": 0.7, "sink": 0.1, "distance": 0.2, "mass": 1.0, "offset": 0.0}


def kind_of(new, poisoned=(), scale=0.01, names=MIX):
    """Classify a head whose statistics are as usual but for `new`; all vary by `scale`."""
    usual = {name: USUAL.get(name, 0.5) for name in names}
    values = {**usual, **new}
    changes = {name: values[name] - usual[name] for name in names}
    scales = {name: scale[name] if isinstance(scale, dict) else scale for name in names}
    distances = {name: 0.0 if math.isnan(changes[name]) else changes[name] / scales[name] for name in names}
    return classify(values, changes, distances, set(poisoned))


@pytest.mark.parametrize(
    ("new", "kind", "statistic"),
    [
        ({"entropy": 0.1, "peak": 0.95}, "collapsed", "peak"),
        ({"entropy": 0.1}, "collapsed", "entropy"),
        ({"entropy": 0.99, "peak": 0.05}, "uniform", "entropy"),
        ({"entropy": 0.1, "peak": 0.9, "sink": 0.88}, "sink", "sink"),
        ({"entropy": 0.1, "peak": 0.9, "sink": 0.3}, "collapsed", "peak"),
        ({"sink": 0.01}, "unusual", "sink"),
        ({"entropy": 1.0, "peak": 0.1, "sink": 0.2}, "uniform", "entropy"),  # few keys: the first has its share
        ({"offset": -0.3, "profile_2": 0.9}, "shifted", "offset"),
        ({"distance": 0.4}, "shifted", "distance"),
        ({"profile_2": 0.9, "offset": 0.02}, "drift", "profile_2"),
        ({"coverage": 0.1}, "unusual", "coverage"),
        ({"entropy": 0.68, "coverage": 0.1}, "unusual", "coverage"),  # a small change beside a large one is silent
        ({"mass": 0.0, "entropy": 0.0}, "dead head", "mass"),
        ({"mass": 0.5}, "unusual", "mass"),
    ],
)
def test_each_fault_has_its_kind(new, kind, statistic):
    assert kind_of(new) == (kind, statistic)


def test_a_head_that_passes_nothing_is_dead_even_where_the_rest_is_nan():
    new = {"mass": 0.0, "entropy": math.nan}
    assert kind_of(new, poisoned=["entropy"]) == ("dead head", "mass")
    assert kind_of({"entropy": math.nan}, poisoned=["entropy"]) == ("nan", "entropy")
    assert kind_of({"mass": math.nan}, poisoned=["mass"]) == ("nan", "mass")
    assert kind_of({"entropy": math.nan, "peak": 1.0}, poisoned=["entropy"]) == ("collapsed", "peak")


def test_a_statistic_that_hardly_ever_varies_does_not_drown_one_that_changed_as_much():
    scales = {name: 0.03 for name in MIX} | {"coverage": 0.001}
    assert kind_of({"entropy": 0.1, "coverage": 0.0}, scale=scales) == ("collapsed", "entropy")


def test_gates_die_or_are_unusual():
    assert kind_of({"mean": 0.001}, names=GATE) == ("dead head", "mean")
    assert kind_of({"closed": 0.99, "mean": 0.03}, names=GATE) == ("dead head", "closed")
    assert kind_of({"open": 0.9}, names=GATE) == ("unusual", "open")


def test_a_sentence_names_layer_head_statistic_value_and_what_is_normal():
    for kind in KINDS:
        told = Finding(kind, "decoder.cross", 3, 9.0, "entropy", 0.031, 0.61, 0.78).sentence()
        assert told.startswith("decoder.cross, head 3, ") and f"({kind})" in told
        assert told.endswith("entropy is 0.031, normal is 0.61 to 0.78")
    assert "not a number" in Finding("nan", "a", 0, math.inf, "entropy", math.nan, 0.1, 0.2).sentence()
