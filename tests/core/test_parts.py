"""Parts are values: by name, by dict, by object; a mistake gets one clear sentence."""

import keras
import pytest

from attention_zoo import core
from attention_zoo.core import get_part, part_names, register
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.layers import MultiHeadAttention

KINDS = ("score", "normalizer", "position", "pattern")


@pytest.mark.parametrize(
    ("kind", "wrong", "near"),
    [
        ("normalizer", "softmx", "'softmax'"),
        ("score", "scaled-dot", "'scaled_dot'"),
        ("position", "rope", "'rotary'"),
        ("pattern", "window", "'sliding_window'"),
    ],
)
def test_an_unknown_name_is_told_the_three_nearest(kind, wrong, near):
    with pytest.raises(ZooValueError, match=f"^{kind} '{wrong}' is unknown; the nearest names are ") as caught:
        MultiHeadAttention(2, 4, **{kind: wrong})
    assert near in str(caught.value)
    assert str(caught.value).count("'") == 8


def test_a_part_of_another_kind_is_refused():
    with pytest.raises(ZooTypeError, match="score must be a score, got the normalizer Softmax"):
        MultiHeadAttention(2, 4, score=core.Softmax())


@pytest.mark.parametrize("wrong", [3, {"count": 2}, ["softmax"], {"name": 5}])
def test_what_is_no_name_dict_or_part_is_refused(wrong):
    with pytest.raises(ZooTypeError, match="normalizer must be a name, a dict with 'name' or a normalizer object"):
        get_part("normalizer", wrong, "softmax")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ZooValueError, match="kind of part 'colour' is unknown"):
        part_names("colour")
    with pytest.raises(ZooValueError, match="kind of part 'colour' is unknown"):
        register("colour", "red")


def test_a_name_cannot_be_taken_twice():
    with pytest.raises(ZooValueError, match="name of a score must be new, got 'dot'"):
        register("score", "dot")(type("Other", (core.Dot,), {}))


@pytest.mark.parametrize(
    "make",
    [
        lambda: core.ScaledDot(soft_cap=0.0),
        lambda: core.ScaledDot(soft_cap=-1.0),
        lambda: core.Cosine(sharpness=0.0),
        lambda: core.Additive(units=0),
        lambda: core.TopK(0),
        lambda: core.GumbelSoftmax(temperature=0.0),
        lambda: core.Learned(0),
        lambda: core.Rotary(fraction=0.0),
        lambda: core.Rotary(fraction=1.5),
        lambda: core.T5Bias(buckets=3),
        lambda: core.T5Bias(buckets=32, max_distance=16),
        lambda: core.Shaw(0),
        lambda: core.Prefix(-1),
        lambda: core.SlidingWindow(-1),
        lambda: core.SlidingWindow(2.5),
        lambda: core.SlidingWindow(True),
        lambda: core.Dilated(2, 0),
        lambda: core.Block(0),
        lambda: core.GlobalTokens(0),
    ],
)
def test_a_bad_value_is_refused_with_what_was_wanted_and_what_came(make):
    with pytest.raises(ZooValueError, match=r"must be .*(got|over)"):
        make()


def test_rotary_wants_pairs_of_channels():
    with pytest.raises(ZooValueError, match="even number"):
        MultiHeadAttention(2, 5, position="rotary").build((None, None, 6))


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_heads": 0},
        {"num_heads": 2.0},
        {"key_dim": -1},
        {"value_dim": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"num_key_value_heads": 3},
        {"sliding_window": 0},
    ],
)
def test_a_bad_argument_of_the_layer_is_refused(arguments):
    with pytest.raises(ZooValueError, match=f"{next(iter(arguments))} must"):
        MultiHeadAttention(**{"num_heads": 4, "key_dim": 4, **arguments})


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_by_name_survives_its_config(kind):
    needed = {"prefix": {"length": 3}, "both": {"first": "causal", "second": "block"}}
    needed["either"] = needed["both"]
    for name in part_names(kind):
        part = get_part(kind, {"name": name, **needed.get(name, {})}, name)
        again = get_part(kind, keras.saving.serialize_keras_object(part), name)
        assert type(again) is type(part)
        assert again.get_config() == part.get_config()


def test_patterns_join_by_and_and_or():
    joined = core.SlidingWindow(5) & core.Causal()
    assert joined.causal
    assert (joined.window.left, joined.window.right) == (5, 0)
    assert (core.SlidingWindow(2) & core.SlidingWindow(4)).window.left == 2
    assert (core.SlidingWindow(2) | core.SlidingWindow(4, one_sided=True)).window[:2] == (4, 2)
    assert (core.SlidingWindow(2) | core.GlobalTokens(1)).window is None
    assert not (core.SlidingWindow(2) | core.Causal()).causal
    assert (core.SlidingWindow(2) & core.Dilated(2, 2)).window is None
