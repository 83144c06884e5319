"""Statistics of maps whose answers are known."""

import numpy as np
import pytest
from keras import ops

from attention_zoo.calibrate.statistics import statistics_of
from attention_zoo.core.tape import Seen, Site
from attention_zoo.watch import GATE, MIX

FOUR = ("batch", "head", "query", "key")


def measured(weights, mask=None, axes=FOUR, kind="mix"):
    weights = ops.convert_to_tensor(np.asarray(weights, np.float32))
    mask = None if mask is None else ops.convert_to_tensor(np.asarray(mask, bool))
    values = ops.convert_to_numpy(statistics_of(Seen("site", Site("site", kind, axes), weights, mask)))
    return [[dict(zip(MIX if kind == "mix" else GATE, head)) for head in example] for example in values]


def everything(queries, keys):
    return np.ones((1, 1, queries, keys), bool)


def test_an_even_map_is_uniform_and_covers_all():
    (found,) = measured(np.full((1, 1, 6, 8), 1 / 8), everything(6, 8))[0]
    wanted = {
        "entropy": 1,
        "peak": 1 / 8,
        "top5": 5 / 8,
        "sink": 1 / 8,
        "offset": 0,
        "coverage": 1,
        "agreement": 1,
        "mass": 1,
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)
    assert found["rank"] == pytest.approx(1 / 6, abs=1e-6)
    assert sum(found[f"profile_{number}"] for number in range(8)) == pytest.approx(1, abs=1e-6)


def test_a_diagonal_map_is_sharp_and_of_full_rank():
    (found,) = measured(np.eye(6)[None, None], everything(6, 6))[0]
    wanted = {
        "entropy": 0,
        "peak": 1,
        "top5": 1,
        "sink": 1 / 6,
        "distance": 0,
        "diagonality": 1,
        "own": 1,
        "before": 0,
        "after": 0,
        "coverage": 1,
        "rank": 1,
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)


def test_all_weight_on_the_first_key_is_a_sink_that_looks_back():
    weights = np.zeros((1, 1, 5, 5))
    weights[..., 0] = 1
    (found,) = measured(weights, everything(5, 5))[0]
    wanted = {"sink": 1, "coverage": 0, "distance": 0.5, "offset": -0.5, "rank": 1 / 5}
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)


def test_a_shift_moves_the_weight_of_the_own_key_to_the_next():
    weights = np.random.default_rng(3).dirichlet(np.ones(6), (1, 1, 6))
    (found,) = measured(weights, everything(6, 6))[0]
    (shifted,) = measured(np.roll(weights, 1, axis=-1), everything(6, 6))[0]
    assert found["own"] == pytest.approx(np.trace(weights[0, 0]) / 6, abs=1e-6)
    assert found["before"] == pytest.approx(np.trace(weights[0, 0], -1) / 6, abs=1e-6)
    assert shifted["after"] == pytest.approx(np.trace(weights[0, 0]) / 6 - weights[0, 0, 5, 5] / 6, abs=1e-6)


def test_the_own_key_of_a_query_is_that_at_its_place_where_rows_are_few():
    rows, keys = 64, 200
    weights, mask = np.zeros((1, 1, keys, keys)), everything(keys, keys)
    weights[0, 0, np.arange(keys), np.arange(keys)] = 1
    seen = Seen("site", Site("site", "mix", FOUR), ops.convert_to_tensor(weights), ops.convert_to_tensor(mask))
    found = ops.convert_to_numpy(statistics_of(seen, most=rows))[0, 0]
    assert found[MIX.index("own")] == pytest.approx(1, abs=1e-6)
    assert found[MIX.index("distance")] == pytest.approx(0, abs=3e-3)


def test_the_first_key_is_the_first_that_may_be_seen():
    weights, mask = np.zeros((1, 1, 3, 5)), everything(3, 5).copy()
    weights[..., 2], mask[..., :2] = 1, False
    assert measured(weights, mask)[0][0]["sink"] == 1


def test_padding_does_not_count():
    random = np.random.default_rng(0)
    small = random.dirichlet(np.ones(5), (1, 2, 4)).astype(np.float32)
    large, mask = np.zeros((1, 2, 7, 9), np.float32), np.zeros((1, 1, 7, 9), bool)
    large[:, :, :4, :5], mask[:, :, :4, :5] = small, True
    for alone, padded in zip(measured(small, everything(4, 5))[0], measured(large, mask)[0]):
        assert padded == pytest.approx(alone, abs=1e-6)


def test_a_mask_that_nobody_gives_is_read_from_the_zeros():
    weights = np.random.default_rng(0).dirichlet(np.ones(5), (1, 2, 4))
    padded = np.pad(weights, ((0, 0), (0, 0), (0, 2), (0, 3)))
    for alone, found in zip(measured(weights)[0], measured(padded)[0]):
        assert found == pytest.approx(alone, abs=1e-6)


def test_entropy_counts_the_keys_that_each_query_may_see():
    causal = np.tril(np.ones((4, 4)))
    (found,) = measured((causal / causal.sum(1, keepdims=True))[None, None], causal[None, None] > 0)[0]
    assert found["entropy"] == pytest.approx(1, abs=1e-6)


def test_heads_that_look_apart_disagree():
    apart = np.stack([np.eye(4), np.eye(4)[::-1]])[None]
    assert [head["agreement"] for head in measured(apart, everything(4, 4))[0]] == pytest.approx(
        [0.689, 0.689], abs=1e-3
    )


def test_a_head_without_weight_has_no_mass():
    weights = np.stack([np.zeros((3, 3)), np.full((3, 3), 1 / 3)])[None]
    assert [head["mass"] for head in measured(weights, everything(3, 3))[0]] == pytest.approx([0, 1], abs=1e-6)


def test_poison_shows_in_its_example_alone():
    weights = np.full((2, 1, 3, 4), 0.25)
    weights[1, 0, 1, 2] = np.nan
    first, second = measured(weights, everything(3, 4))
    assert all(np.isfinite(value) for value in first[0].values())
    assert np.isnan(second[0]["entropy"]) and np.isnan(second[0]["mass"])


def test_what_is_not_defined_is_nan():
    assert np.isnan(measured(np.ones((1, 1, 3, 1)), everything(3, 1))[0][0]["entropy"])


@pytest.mark.parametrize(
    "axes",
    [
        ("batch", "key"),
        ("batch", "query", "key"),
        ("batch", "head", "key"),
        ("batch", "height", "width", "head", "key"),
    ],
)
def test_maps_of_other_axes_say_the_same(axes):
    sizes = {"batch": 2, "head": 3, "query": 4, "height": 2, "width": 2, "key": 5}
    shape = tuple(sizes[axis] for axis in axes)
    weights = np.random.default_rng(0).dirichlet(np.ones(5), shape[:-1]).astype(np.float32)
    heads = sizes["head"] if "head" in axes else 1
    if axes[-2] == "head" and len(axes) == 5:
        rows = np.moveaxis(weights, 3, 1).reshape(2, 3, 4, 5)
    else:
        rows = weights.reshape(2, heads, -1, 5)
    for found, wanted in zip(measured(weights, axes=axes), measured(rows)):
        assert len(found) == heads
        for one, other in zip(found, wanted):
            assert one == pytest.approx(other, abs=1e-6)


def test_gates_have_statistics_of_their_own():
    gate = np.array([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]], np.float32)
    (shut,), (half,) = measured(gate, axes=("batch", "channel"), kind="gate")
    assert shut == pytest.approx({"mean": 0.5, "spread": 0.5, "closed": 0.5, "open": 0.5}, abs=1e-6)
    assert half == pytest.approx({"mean": 0.5, "spread": 0.0, "closed": 0.0, "open": 0.0}, abs=1e-6)


def test_a_layer_without_any_weight_is_dead_and_not_hidden():
    (found,) = measured(np.zeros((1, 1, 3, 4)))[0]
    assert found["mass"] == 0 and found["entropy"] == 0
