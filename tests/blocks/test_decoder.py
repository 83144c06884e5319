"""The transformer's decoder: its formula, one table for three uses, and what it refuses."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers
from attention_zoo.blocks.decoder import DecoderBlock
from attention_zoo.blocks.tied_embedding import TiedEmbedding
from attention_zoo.blocks.token_decoder import TokenDecoder
from attention_zoo.blocks.transformer_decoder import TransformerDecoder
from attention_zoo.errors import ZooError, ZooTypeError, ZooValueError

WORDS, WIDTH = 9, 8
RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(2, 5, WIDTH)).astype("float32")
MEMORY = RANDOM.normal(size=(2, 4, 6)).astype("float32")
MASK = np.array([[True] * 5, [True, True, True, False, False]])
SEEN = np.array([[True] * 4, [True, False, False, False]])
IDS = np.array([[2, 4, 5, 6], [2, 7, 8, 0]], "int32")
BLOCK = {"num_heads": 2, "feed_forward": 12}


def numbers(value):
    """Bring a tensor to NumPy."""
    return keras.ops.convert_to_numpy(value)


def norm(values, layer):
    """Normalize over the width, in NumPy."""
    centred = values - values.mean(-1, keepdims=True)
    return centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) * numbers(layer.gamma) + numbers(layer.beta)


@pytest.mark.parametrize("order", ["pre", "post"])
def test_a_block_is_its_formula(order):
    block = DecoderBlock(2, 12, norm=order, name="block")
    found = numbers(block(INPUTS, MEMORY, mask=MASK, memory_mask=SEEN))
    run = {
        "self_attention": lambda read: block.attending(read, query_mask=MASK, use_causal_mask=True),
        "cross_attention": lambda read: block.reading(read, MEMORY, query_mask=MASK, value_mask=SEEN),
        "feed_forward": lambda read: block.parts["feed_forward"](read),
    }
    current = INPUTS
    for name in run:
        read = norm(current, block.norms[name]) if order == "pre" else current
        current = current + numbers(run[name](read))
        current = norm(current, block.norms[name]) if order == "post" else current
    np.testing.assert_allclose(found, current, atol=1e-5)


@pytest.mark.once
def test_every_attention_of_the_zoo_fits_or_is_refused_by_its_name():
    fitting = {"attention": set(), "cross_attention": set()}
    for argument, role in (("attention", "self"), ("cross_attention", "cross")):
        for name in layers.names(role):
            try:
                DecoderBlock(2, 0, **{argument: name}, key_dim=4).build((None, None, WIDTH), (None, None, 6))
            except ZooError as error:
                assert f"{argument} {name!r} (" in str(error), name
            else:
                fitting[argument].add(name)
    usual = {"multi_head", "grouped_query", "talking_heads", "additive", "sparsemax", "differential"}
    assert usual <= fitting["cross_attention"] <= fitting["attention"] | {"cross_attention"}
    assert {"rotary", "alibi", "sliding_window", "linear", "multi_head_latent", "retention"} <= fitting["attention"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_heads": 3}, "width must be a multiple of num_heads, got 8 for 3 heads"),
        ({"norm": "before"}, "'pre'"),
        ({"feed_forward": -1}, "feed_forward must be at least 0"),
        ({"attention": "rotory"}, "'rotary'"),
        ({"attention": "nystromformer"}, "^attention 'nystromformer' .* cannot be used in a decoder"),
        (
            {"attention": {"name": "multi_head", "pattern": {"name": "prefix", "length": 3}}},
            "^attention 'multi_head' .* the first 3 tokens would have to come at once",
        ),
        ({"cross_attention": "linear"}, "^cross_attention 'linear' .* it forms no map of the memory"),
        ({"cross_attention": "rotary"}, "^cross_attention 'rotary' .* its position must be 'none', got 'rotary'"),
        (
            {"cross_attention": {"name": "multi_head", "sliding_window": 2}},
            "^cross_attention 'multi_head' .* it must have no sliding_window",
        ),
    ],
)
def test_what_cannot_decode_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ZooValueError, match=sentence):
        DecoderBlock(**{"num_heads": 2, "feed_forward": 4, **arguments}).build((None, None, 8), (None, None, 6))


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (lambda: TransformerDecoder(0, WORDS, WIDTH, BLOCK), ZooValueError, "^depth must be a whole number"),
        (lambda: TransformerDecoder(1, WORDS, WIDTH, {"num_heads": 2}), ZooValueError, "none of feed_forward$"),
        (lambda: TransformerDecoder(1, WORDS, WIDTH, {**BLOCK, "nrom": "pre"}), ZooValueError, "'nrom' .* 'norm'"),
        (lambda: TransformerDecoder(1, WORDS, WIDTH, BLOCK, dropout=1.0), ZooValueError, "^dropout must be"),
        (lambda: TransformerDecoder(1, WORDS, WIDTH, BLOCK, position="rotary"), ZooValueError, "acts inside attention"),
        (
            lambda: TransformerDecoder(1, WORDS, WIDTH, BLOCK, embedding=TiedEmbedding(WORDS, 4)),
            ZooValueError,
            r"^embedding must have vocabulary_size and width \(9, 8\), got \(9, 4\)",
        ),
        (
            lambda: TransformerDecoder(1, WORDS, WIDTH, BLOCK, embedding=keras.layers.Embedding(WORDS, WIDTH)),
            ZooTypeError,
            "^embedding must be a TiedEmbedding, got Embedding",
        ),
    ],
)
def test_a_wrong_argument_is_named(make, kind, sentence):
    with pytest.raises(kind, match=sentence):
        make()


def test_the_table_serves_both_ends():
    table = TiedEmbedding(WORDS, WIDTH, "sinusoidal")
    found = numbers(table(IDS))
    values = numbers(table.table.embeddings)
    assert 0.5 < values.std() * WIDTH**0.5 < 1.5
    places = found - values[IDS] * WIDTH**0.5
    np.testing.assert_allclose(places[0], places[1], atol=1e-5)
    np.testing.assert_allclose(places[0, 0], np.tile([0.0, 1.0], WIDTH // 2), atol=1e-5)
    later = numbers(table(IDS[:, 2:], start=ops.convert_to_tensor(2, "int32")))
    np.testing.assert_allclose(later, found[:, 2:], atol=1e-5)
    np.testing.assert_allclose(numbers(table.logits(INPUTS)), INPUTS @ values.T, atol=1e-5)
    assert len(table.weights) == 1


def translator(**settings):
    """Make a small translator whose source, target and logits share one table."""
    places = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source_ids", "target_ids")}
    embedding = TiedEmbedding(WORDS, WIDTH, "sinusoidal", name="embedding")
    memory = keras.layers.Dense(WIDTH, name="encoder")(embedding(places["source_ids"]))
    decoder = TransformerDecoder(2, WORDS, WIDTH, BLOCK, embedding=embedding, name="decoder", **settings)
    return keras.Model(places, decoder(places["target_ids"], memory))


def test_a_shared_table_stays_one_in_a_file(tmp_path):
    model = translator()
    assert sum("embeddings" in weight.path for weight in model.weights) == 1
    assert model.weights[0].path == "embedding/table/embeddings"
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    assert again.get_layer("decoder").embedding is again.get_layer("embedding")
    arrays = {"source_ids": IDS[:, ::-1].copy(), "target_ids": IDS}
    np.testing.assert_allclose(again.predict_on_batch(arrays), model.predict_on_batch(arrays), atol=1e-6)
    again.get_layer("embedding").table.embeddings.assign(np.zeros((WORDS, WIDTH)))
    np.testing.assert_array_equal(again.predict_on_batch(arrays), 0.0)


def test_a_table_of_its_own_for_logits_is_another_weight():
    shared, apart = translator(), translator(tie=False)
    extra = {w.path for w in apart.weights} - {w.path for w in shared.weights}
    assert extra == {"decoder/logits/kernel"}


def test_a_layer_among_the_arguments_is_copied_for_each_block(tmp_path):
    own = layers.MultiHeadAttention(1, 3, name="own")
    decoder = TransformerDecoder(2, WORDS, WIDTH, {**BLOCK, "attention": own}, name="decoder")
    target, memory = keras.Input((None,), dtype="int32"), keras.Input((None, 6))
    model = keras.Model([target, memory], decoder(target, memory))
    first, second = (block.attending for block in decoder.blocks)
    assert first is not second and not own.built and (first.num_heads, first.key_dim) == (1, 3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    np.testing.assert_allclose(again.predict_on_batch([IDS, MEMORY]), model.predict_on_batch([IDS, MEMORY]), atol=1e-6)


def test_names_are_the_same_in_every_process():
    paths = {weight.path for weight in translator().weights}
    assert "decoder/block_1/self_attention/query/kernel" in paths
    assert "decoder/block_2/cross_attention/attention_output/bias" in paths
    assert "decoder/block_2/feed_forward_norm/gamma" in paths
    assert "decoder/norm/beta" in paths


def test_blocks_are_left_out_more_often_the_later_they_come():
    decoder = TransformerDecoder(4, WORDS, WIDTH, {**BLOCK, "stochastic_depth": 0.4, "dropout": 0.2}, dropout=0.1)
    np.testing.assert_allclose([block.stochastic_depth for block in decoder.blocks], [0.1, 0.2, 0.3, 0.4])
    assert {block.dropout for block in decoder.blocks} == {0.2}
    assert isinstance(decoder, TokenDecoder)


def test_dropout_acts_while_training_alone():
    keras.utils.set_random_seed(0)
    decoder = TransformerDecoder(1, WORDS, WIDTH, BLOCK, dropout=0.5)
    calm = [numbers(decoder(IDS, MEMORY)) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert np.abs(numbers(decoder(IDS, MEMORY, training=True)) - calm[0]).max() > 1e-3
