"""Fusion: what the suite cannot see. Missing modalities are neutral, lists carry masks, gates start shut."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.core.tape import Tape
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.layers import fusion

HEADS = {"num_heads": 2, "key_dim": 3}
ABSENT = np.array([True, False])  # the second example lacks the modality


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def hidden(length):
    """Hide all of the second example."""
    return np.repeat(ABSENT[:, None], length, 1)


def test_a_missing_source_leaves_the_target_as_it_is():
    target, sources = numbers(2, 4, 6), [numbers(2, 3, 5, seed=1), numbers(2, 7, 2, seed=2)]
    layer = fusion.CrossModalAttention(**HEADS)
    layer(target, sources)
    layer.set_weights([weight + 0.1 for weight in layer.get_weights()])
    output = array(layer(target, sources, sources_mask=[hidden(3), None]))
    np.testing.assert_array_equal(output[1, :, :6], target[1])
    assert not np.allclose(output[1, :, 6:], target[1])
    assert not np.allclose(output[0, :, :6], target[0])


@pytest.mark.parametrize("tied", [False, True])
def test_a_missing_modality_has_a_closed_gate(tied):
    first, second = numbers(2, 5), numbers(2, 3, seed=1)
    layer = fusion.GatedMultimodalUnit(4, tied=tied)
    with Tape() as tape:
        output = array(layer([first, second], mask=[None, ABSENT]))
    gates = array(next(iter(tape.maps.values())))
    assert (gates[1, 1] == 0).all()
    assert (gates[0] > 0).all()
    if tied:
        np.testing.assert_allclose(output[1], np.tanh(array(layer.values[0](first))[1]), atol=1e-6)
        np.testing.assert_allclose(gates[0].sum(0), 1.0, atol=1e-6)


def test_nothing_at_all_gives_zeros_from_gated_fusion():
    layer = fusion.GatedMultimodalUnit(4, tied=True)
    output = array(layer([numbers(2, 5), numbers(2, 3)], mask=[ABSENT, ABSENT]))
    assert (output[1] == 0).all()
    assert (output[0] != 0).all()


def test_tensor_fusion_keeps_the_products_of_those_that_are_there():
    first, second = numbers(2, 2), numbers(2, 3, seed=1)
    output = array(fusion.TensorFusion()([first, second], mask=[None, ABSENT])).reshape(2, 3, 4)
    np.testing.assert_allclose(output[1, :, 0], [1.0, *first[1]], atol=1e-6)
    assert (output[1, :, 1:] == 0).all()
    np.testing.assert_allclose(output[0, 1:, 1:], first[0][:, None] * second[0], atol=1e-6)


def test_missing_sides_of_bilinear_pooling_are_neutral():
    first, second = numbers(2, 5), numbers(2, 3, seed=1)
    factorized = fusion.FactorizedBilinearPooling(4, factors=2, normalized=False)
    output = array(factorized(first, second, second_mask=ABSENT))
    alone = array(factorized.first_factor(first)).reshape(2, 4, 2).sum(-1)
    np.testing.assert_allclose(output[1], alone[1], atol=1e-6)
    assert not np.allclose(output[0], alone[0])
    compact = fusion.CompactBilinearPooling(6, normalized=False)
    output = array(compact(first, second, second_mask=ABSENT))
    np.testing.assert_allclose(output[1], (first @ array(compact.first_sketch))[1], atol=1e-5)


def test_bilinear_pooling_ends_with_signed_roots_of_length_one():
    first, second = numbers(2, 5), numbers(2, 3, seed=1)
    raw = fusion.CompactBilinearPooling(6, seed=2, normalized=False)
    wanted = array(raw(first, second))
    wanted = np.sign(wanted) * np.sqrt(np.abs(wanted))
    wanted = wanted / np.linalg.norm(wanted, axis=-1, keepdims=True)
    got = array(fusion.CompactBilinearPooling(6, seed=2)(first, second))
    np.testing.assert_allclose(got, wanted, atol=2e-3)


def test_a_count_sketch_keeps_products_in_the_mean_and_repeats_with_its_seed():
    pairs = numbers(2, 20), numbers(2, 30, seed=1)
    wanted = (pairs[0][0] @ pairs[0][1]) * (pairs[1][0] @ pairs[1][1])
    found = []
    for seed in range(24):
        sketch = array(fusion.CompactBilinearPooling(256, seed=seed, normalized=False)(*pairs))
        found.append(sketch[0] @ sketch[1])
    assert abs(np.mean(found) - wanted) < 4 * np.std(found) / np.sqrt(len(found))
    again = array(fusion.CompactBilinearPooling(256, seed=23, normalized=False)(*pairs))
    np.testing.assert_array_equal(again, sketch)


def test_a_missing_condition_changes_nothing():
    inputs, condition = numbers(2, 3, 4), numbers(2, 5, seed=1)
    output = array(fusion.FeatureWiseModulation()(inputs, condition, condition_mask=ABSENT))
    np.testing.assert_array_equal(output[1], inputs[1])
    assert not np.allclose(output[0], inputs[0])
    layer = fusion.AdaptiveLayerNorm(zero=True)
    layer(inputs, condition)
    layer.set_weights([weight + 0.2 for weight in layer.get_weights()])
    output, scale = layer(inputs, condition, condition_mask=ABSENT)
    np.testing.assert_allclose(array(output)[1], array(layer.norm(inputs))[1], atol=1e-6)
    assert (array(scale)[1] == 0).all() and (array(scale)[0] != 0).any()


def test_adaptive_norm_zero_starts_with_a_shut_branch():
    output, scale = fusion.AdaptiveLayerNorm(zero=True)(numbers(2, 3, 4), numbers(2, 5, seed=1))
    assert (array(scale) == 0).all()
    np.testing.assert_allclose(array(output).mean(-1), 0.0, atol=1e-6)


def test_gated_cross_attention_starts_shut_and_then_opens():
    query, value = numbers(2, 4, 6), numbers(2, 3, 5, seed=1)
    layer = fusion.GatedCrossAttention(feed_forward=7, **HEADS)
    np.testing.assert_array_equal(array(layer(query, value)), query)
    layer.attention_gate.assign([0.5])
    assert not np.allclose(array(layer(query, value)), query)


def test_bilinear_attention_adds_nothing_from_a_missing_modality():
    first, second = numbers(2, 4, 6), numbers(2, 3, 5, seed=1)
    output = array(fusion.BilinearAttention(4)(first, second, second_mask=hidden(3)))
    np.testing.assert_array_equal(output[1], first[1])
    assert not np.allclose(output[0], first[0])


def test_maps_of_bilinear_attention_are_one_distribution_over_all_pairs():
    with Tape() as tape:
        fusion.BilinearAttention(4, glimpses=3)(numbers(2, 4, 6), numbers(2, 3, 5), first_mask=hidden(4))
    maps = array(next(iter(tape.maps.values())))
    assert maps.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(maps[0].sum((1, 2)), 1.0, atol=1e-6)
    assert (maps[1] == 0).all()


def test_a_missing_modality_has_no_part_in_the_bottleneck():
    first, second = numbers(2, 4, 6), numbers(2, 3, 6, seed=1)
    layer = fusion.BottleneckFusion(tokens=2, **HEADS)
    *modalities, tokens = layer([first, second], mask=[None, hidden(3)])
    assert [tuple(output.shape) for output in modalities] == [(2, 4, 6), (2, 3, 6)]
    other = layer([first, 9.0 - second], mask=[None, hidden(3)])
    np.testing.assert_allclose(array(tokens)[1], array(other[-1])[1], atol=1e-6)
    assert not np.allclose(array(tokens)[0], array(other[-1])[0])
    joined = np.concatenate([first, np.stack([array(layer.shared)] * 2)], 1)
    alone = joined + array(layer.attentions[0](layer.norms[0](joined)))
    np.testing.assert_allclose(array(tokens)[1], alone[1, 4:], atol=1e-6)


def test_bottleneck_layers_chain():
    inputs = [keras.Input((None, 6)), keras.Input((None, 6))]
    fused = fusion.BottleneckFusion(tokens=2, name="one", **HEADS)(inputs)
    fused = fusion.BottleneckFusion(tokens=0, name="two", **HEADS)(fused)
    assert [tensor.shape for tensor in fused] == [(None, None, 6), (None, None, 6), (None, 2, 6)]
    arrays = [numbers(3, 4, 6), numbers(3, 5, 6)]
    outputs = keras.Model(inputs, fused).predict_on_batch(arrays)
    assert [output.shape for output in outputs] == [(3, 4, 6), (3, 5, 6), (3, 2, 6)]
    # Only through the tokens, and so only from the second layer on, does one modality learn of the other.
    changed = keras.Model(inputs, fused).predict_on_batch([arrays[0], arrays[1] + 1.0 * numbers(3, 5, 6, seed=3)])
    assert not np.allclose(outputs[0], changed[0])


def test_lists_carry_the_masks_of_their_tensors():
    words, sounds = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedded = [keras.layers.Embedding(9, 6, mask_zero=True)(tokens) for tokens in (words, sounds)]
    fused = fusion.BottleneckFusion(tokens=2, **HEADS)(embedded)
    crossed = fusion.CrossModalAttention(**HEADS)(embedded[0], [embedded[1]])
    model = keras.Model([words, sounds], [fused[-1], crossed])
    text, sound = np.array([[3, 1, 4, 0, 0]], "int32"), np.array([[5, 6, 0]], "int32")
    tokens, joined = model.predict_on_batch([text, sound])
    longer = model.predict_on_batch([text, np.array([[5, 6, 0, 0, 0]], "int32")])
    np.testing.assert_allclose(tokens, longer[0], atol=1e-6)
    np.testing.assert_allclose(joined[:, :3], longer[1][:, :3], atol=1e-6)
    assert not np.allclose(tokens, model.predict_on_batch([text, np.array([[5, 6, 1]], "int32")])[0])


def test_a_model_with_lists_and_presence_is_read_back(tmp_path):
    inputs = [keras.Input((5,), name="face"), keras.Input((3,), name="voice")]
    present = keras.Input((), dtype="bool", name="has_voice")
    unit = fusion.GatedMultimodalUnit(4)(inputs, mask=[None, present])
    output = fusion.LowRankFusion(2)(inputs, mask=[None, present])
    model = keras.Model([*inputs, present], keras.layers.Concatenate()([unit, output]))
    arrays = [numbers(2, 5), numbers(2, 3, seed=1), ABSENT]
    wanted = model.predict_on_batch(arrays)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict_on_batch(arrays), wanted, atol=1e-6)
    arrays[1] = arrays[1] + np.array([[0.0], [5.0]], "float32")
    np.testing.assert_allclose(again.predict_on_batch(arrays), wanted, atol=1e-6)


@pytest.mark.parametrize("kind", [fusion.ParallelCoAttention, fusion.AlternatingCoAttention])
def test_co_attention_does_without_a_missing_modality(kind):
    first, second = numbers(2, 4, 6), numbers(2, 3, 5, seed=1)
    layer = kind(4)
    with Tape() as tape:
        left, right = layer(first, second, second_mask=hidden(3))
    assert (array(right)[1] == 0).all()
    assert np.isfinite(array(left)).all() and (array(left)[1] != 0).any()
    for name, weights in tape.maps.items():
        if name.endswith("second"):
            assert (array(weights)[1] == 0).all()
        np.testing.assert_allclose(array(weights)[0].sum(-1), 1.0, atol=1e-6)
    again = array(layer(first, 9.0 + second, second_mask=hidden(3))[0])
    np.testing.assert_allclose(again[1], array(left)[1], atol=1e-6)


def test_two_way_attention_moves_both_sides():
    first, second = numbers(2, 4, 6), numbers(2, 3, 5, seed=1)
    layer = fusion.TwoWayAttention(**HEADS)
    wanted = layer(first, second)
    changed = layer(first + numbers(2, 4, 6, seed=2), second)
    assert not np.allclose(array(wanted[1]), array(changed[1]))
    alone = layer(first, second, first_mask=hidden(4))[1]
    np.testing.assert_allclose(array(alone)[1], array(layer.second_norm(second))[1], atol=1e-6)


def test_stacked_attention_and_the_adaptation_gate_do_without_their_sources():
    question, memory = numbers(2, 6), numbers(2, 4, 6, seed=1)
    output = array(fusion.StackedAttention(5, hops=3)(question, memory, memory_mask=hidden(4)))
    np.testing.assert_array_equal(output[1], question[1])
    assert not np.allclose(output[0], question[0])
    layer = fusion.MultimodalAdaptationGate()
    shifted = array(layer(memory, [numbers(2, 4, 3, seed=2)], sources_mask=[hidden(4)]))
    np.testing.assert_allclose(shifted[1], array(layer.norm(memory))[1], atol=1e-6)


def test_the_adaptation_gate_shifts_no_farther_than_it_may():
    target, source = numbers(2, 4, 6), 100.0 * numbers(2, 4, 3, seed=2)
    layer = fusion.MultimodalAdaptationGate(shift=0.5)
    output = array(layer(target, [source]))
    logits = array(layer.gates[0](np.concatenate([target, source], -1)))
    added = np.maximum(logits, 0.0) * array(layer.values[0](source))
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (target, added)]
    assert (lengths[1] > lengths[0]).any()
    share = np.minimum(0.5 * lengths[0] / np.maximum(lengths[1], 1e-6), 1.0)
    wanted = target + share * added
    np.testing.assert_allclose(output, array(layer.norm(wanted)), atol=1e-4)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: fusion.ParallelCoAttention(0), "units"),
        (lambda: fusion.GatedMultimodalUnit(0), "units"),
        (lambda: fusion.CrossModalAttention(0, 4), "num_heads"),
        (lambda: fusion.CrossModalAttention(2, 4, dropout=1.0), "dropout"),
        (lambda: fusion.GatedCrossAttention(2, 4, feed_forward=-1), "feed_forward"),
        (lambda: fusion.LowRankFusion(4, rank=0), "rank"),
        (lambda: fusion.FactorizedBilinearPooling(4, factors=0), "factors"),
        (lambda: fusion.CompactBilinearPooling(4, transform="slow"), "transform"),
        (lambda: fusion.BottleneckFusion(2, 4, tokens=-1), "tokens"),
        (lambda: fusion.BilinearAttention(4, glimpses=0), "glimpses"),
        (lambda: fusion.StackedAttention(4, hops=0), "hops"),
        (lambda: fusion.MultimodalAdaptationGate(shift=0.0), "shift"),
        (lambda: fusion.TensorFusion().build([(2, 3)]), "at least 2 modalities"),
        (lambda: fusion.BottleneckFusion(2, 4).build([(2, 3, 4), (2, 3, 5)]), "one width"),
        (lambda: fusion.StackedAttention(4).build((2, 3), (2, 4, 5)), "one width"),
    ],
)
def test_wrong_arguments_are_named(make, word):
    with pytest.raises(ZooValueError, match=word):
        make()


def test_one_tensor_in_place_of_a_list_is_refused():
    with pytest.raises(ZooTypeError, match="list of modalities"):
        fusion.TensorFusion().build((2, 3))
