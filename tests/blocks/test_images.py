"""Blocks of images: standardised pixels, patches, places, norms, residual and encoder blocks with any attention."""

import keras
import numpy as np
import pytest

from attention_zoo import layers
from attention_zoo.blocks import (
    ClassToken,
    ConvNextBlock,
    ImageEncoderBlock,
    LastToken,
    PatchMerging,
    PlaceEmbedding,
    ResidualBlock,
    Standardize,
)
from attention_zoo.blocks.fitting import fit_to_map, fit_to_tokens, role_of
from attention_zoo.blocks.normalizing import make_norm
from attention_zoo.blocks.residual import KINDS
from attention_zoo.errors import ZooError, ZooTypeError, ZooValueError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 5, 6, 8)).astype("float32")


def numbers(value):
    """Bring a tensor to NumPy."""
    return np.asarray(keras.ops.convert_to_numpy(value), "float32")


def bend(values):
    """Bend as the blocks do."""
    return np.maximum(values, 0)


def test_pixels_are_standardised_by_channel_in_float32():
    layer = Standardize([0.1, 0.2, 0.3], [0.5, 1.0, 2.0])
    pixels = RANDOM.uniform(size=(2, 4, 4, 3)).astype("float32")
    wanted = (pixels - [0.1, 0.2, 0.3]) / [0.5, 1.0, 2.0]
    np.testing.assert_allclose(numbers(layer(pixels)), wanted, atol=1e-6)
    half = Standardize(0.5, 0.01, dtype="mixed_bfloat16")
    near = np.full((1, 1, 1, 1), 0.503, "float32")
    assert keras.backend.standardize_dtype(half(near).dtype) == "bfloat16"
    np.testing.assert_allclose(numbers(half(near)), 0.3, atol=2e-3)  # rounded first it were 0.39
    with pytest.raises(ZooValueError, match="std must be above 0"):
        Standardize(0.5, [1.0, 0.0])


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_merging_joins_the_pixels_of_squares_and_fills_the_edge(stride):
    layer = PatchMerging(4, stride)
    found = numbers(layer(IMAGES))
    rows, columns = -(-5 // stride), -(-6 // stride)
    padded = np.zeros((2, rows * stride, columns * stride, 8), "float32")
    padded[:, :5, :6] = IMAGES
    joined = np.stack(
        [
            padded[:, row * stride : (row + 1) * stride, column * stride : (column + 1) * stride].reshape(2, -1)
            for row in range(rows)
            for column in range(columns)
        ],
        axis=1,
    )
    centred = joined - joined.mean(-1, keepdims=True)
    wanted = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) @ numbers(layer.dense.kernel)
    np.testing.assert_allclose(found, wanted.reshape(2, rows, columns, 4), atol=1e-5)
    assert layer.compute_output_shape((None, 5, 6, 8)) == (None, rows, columns, 4)


def test_places_are_marked_by_row_and_by_column():
    nothing = np.zeros((1, 3, 4, 8), "float32")
    waves = numbers(PlaceEmbedding("sinusoidal_2d")(nothing))[0]
    assert np.ptp(waves[..., :4], axis=1).max() == 0 and np.ptp(waves[..., 4:], axis=0).max() == 0
    np.testing.assert_allclose(waves[2, 3, [0, 1, 4, 5]], [np.sin(2), np.cos(2), np.sin(3), np.cos(3)], atol=1e-6)
    layer = PlaceEmbedding("learned")
    found = numbers(layer(IMAGES))
    np.testing.assert_allclose(found - IMAGES, np.repeat(numbers(layer.table)[None], 2, axis=0), atol=1e-6)
    layer = PlaceEmbedding("convolution")
    found = numbers(layer(IMAGES))
    kernel = numbers(layer.near.weights[0])[..., 0]
    np.testing.assert_allclose(
        found[:, 2, 2], (1 * IMAGES[:, 2, 2] + (IMAGES[:, 1:4, 1:4] * kernel).sum((1, 2))), atol=1e-5
    )


def test_the_token_of_the_class_comes_last():
    layer = ClassToken()
    tokens = numbers(layer(IMAGES[:, 0]))
    np.testing.assert_array_equal(tokens[:, :-1], IMAGES[:, 0])
    np.testing.assert_array_equal(tokens[:, -1], np.repeat(numbers(layer.token)[0], 2, axis=0))
    np.testing.assert_array_equal(numbers(LastToken()(tokens)), tokens[:, -1])


@pytest.mark.parametrize(("kind", "axes"), [("layer", (3,)), ("group", (1, 2, 3)), ("batch", (0, 1, 2))])
def test_a_norm_centres_along_its_axes(kind, axes):
    layer = make_norm(kind, "norm", 16)
    images = RANDOM.normal(size=(2, 3, 3, 16)).astype("float32")
    found = numbers(layer(images, training=True) if kind == "batch" else layer(images))
    grouped = images.reshape(2, 3, 3, 8, 2) if kind == "group" else images
    axes = (1, 2, 4) if kind == "group" else axes
    centred = grouped - grouped.mean(axes, keepdims=True)
    wanted = centred / np.sqrt(grouped.var(axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(found, wanted.reshape(images.shape), atol=1e-4)


@pytest.mark.parametrize("order", ["pre", "post"])
@pytest.mark.parametrize("filters", [8, 12])
def test_a_basic_block_is_its_formula(order, filters):
    block = ResidualBlock(filters, order=order, norm="layer", attention="simam")
    found = numbers(block(IMAGES))
    (first, second), (before, after) = block.convolutions, block.norms
    gate = layers.get("simam")
    if order == "pre":
        start = bend(numbers(before(IMAGES)))
        branch = second(bend(numbers(after(first(start)))))
        kept = IMAGES if filters == 8 else numbers(block.shortcut(start))
        np.testing.assert_allclose(found, kept + numbers(gate(branch)), atol=1e-5)
    else:
        branch = after(second(bend(numbers(before(first(IMAGES))))))
        kept = IMAGES if filters == 8 else numbers(block.shortcut_norm(block.shortcut(IMAGES)))
        np.testing.assert_allclose(found, bend(kept + numbers(gate(branch))), atol=1e-5)


def test_an_inverted_block_attends_to_its_wide_image_and_is_not_bent():
    block = ResidualBlock(8, "inverted", order="post", norm="layer", attention="simam", expansion=2)
    found = numbers(block(IMAGES))
    current = IMAGES
    for convolution, norm in zip(block.convolutions[:2], block.norms[:2]):
        current = bend(numbers(norm(convolution(current))))
    assert current.shape[-1] == 16
    branch = numbers(block.norms[2](block.convolutions[2](layers.get("simam")(current))))
    np.testing.assert_allclose(found, IMAGES + branch, atol=1e-5)
    assert found.min() < 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["pre", "post"])
def test_every_kind_of_block_changes_size_and_width_as_told(kind, order):
    for filters, stride, shape in [(8, 1, (2, 5, 6, 8)), (12, 1, (2, 5, 6, 12)), (8, 2, (2, 3, 3, 8))]:
        block = ResidualBlock(filters, kind, stride, order, attention="eca", name="block")
        assert block(IMAGES).shape == shape == block.compute_output_shape(IMAGES.shape)
        assert all(weight.path.startswith("block/") for weight in block.weights)


@pytest.mark.parametrize(
    "make",
    [lambda rate: ResidualBlock(8, stochastic_depth=rate), lambda rate: ConvNextBlock(3, stochastic_depth=rate)],
    ids=["residual", "convnext"],
)
def test_stochastic_depth_leaves_out_the_branch_of_whole_images(make):
    keras.utils.set_random_seed(0)
    block = make(0.5)
    images = np.repeat(IMAGES[:1], 64, axis=0)
    calm, noisy = numbers(block(images)) - images, numbers(block(images, training=True)) - images
    left_out = np.abs(noisy).max(axis=(1, 2, 3)) < 1e-6
    assert 0.3 < left_out.mean() < 0.7 and np.abs(calm).max() > 0.1


def test_an_image_encoder_block_is_its_formula():
    for order in ("pre", "post"):
        block = ImageEncoderBlock(12, {"name": "swin_window", "num_heads": 2, "window": 3}, norm=order)
        found = numbers(block(IMAGES))
        current = IMAGES
        for name, part in block.parts.items():
            read = numbers(block.norms[name](current)) if order == "pre" else current
            current = current + numbers(part(read))
            current = numbers(block.norms[name](current)) if order == "post" else current
        np.testing.assert_allclose(found, current, atol=1e-5)


def test_a_convnext_block_is_its_formula():
    block = ConvNextBlock(3, 2, "relu", attention="simam")
    found = numbers(block(IMAGES))
    branch = block.contract(bend(numbers(keras.ops.matmul(block.norm(block.near(IMAGES)), block.expand.kernel))))
    np.testing.assert_allclose(found, IMAGES + numbers(layers.get("simam")(branch)), atol=1e-5)


@pytest.mark.parametrize(
    "block",
    [
        ResidualBlock(32, "bottleneck", 2, "post", "group", "silu", "cbam", 2, 3, 0.1, 0.1, name="block"),
        ResidualBlock(8, attention=layers.get("squeeze_excite", ratio=2, name="own"), name="block"),
        ImageEncoderBlock(12, {"name": "non_local", "pool": 2}, 0.1, "swiglu", "post", 0.1, name="block"),
        ConvNextBlock(3, 2, "relu", "eca", 0.1, 0.1, name="block"),
        PatchMerging(4, 2, name="merging"),
        PlaceEmbedding("learned", name="places"),
        Standardize((0.1,), (2.0,), name="standardize"),
    ],
    ids=lambda block: type(block).__name__,
)
def test_blocks_are_saved_and_read_back(block, tmp_path):
    block = type(block).from_config(block.get_config())
    width = 16 if getattr(block, "norm", None) == "group" else 8
    images = np.concatenate([IMAGES, IMAGES], -1)[..., :width]
    inputs = keras.Input((5, 6, width))
    model = keras.Model(inputs, block(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numbers(again(images)), numbers(model(images)), atol=1e-6)
    assert [weight.path for weight in again.weights] == [weight.path for weight in model.weights]


@pytest.mark.once
def test_an_attention_is_told_only_what_it_takes_and_its_own_words_come_first():
    assert fit_to_map("eca", (7, 7), 16, 4, 7) == {"name": "eca"}
    swin = {"num_heads": 4, "window": 4, "shift": 0, "name": "swin_window"}
    assert fit_to_map("swin_window", (8, 8), 16, 4, 4) == swin
    assert fit_to_map("swin_shifted_window", (8, 8), 16, 4, 4) == {**swin, "shift": 2, "name": "swin_shifted_window"}
    assert fit_to_map("swin_shifted_window", (4, 3), 16, 4, 7)["shift"] == 0
    assert fit_to_map({"name": "swin_window", "window": 2}, (8, 8), 16, 4, 4)["window"] == 2
    assert fit_to_map("linear_context", (8, 8), 24, 1, 7)["groups"] == 8
    assert fit_to_map("shuffle_attention", (8, 8), 32, 1, 7)["groups"] == 16
    assert fit_to_map("pyramid_split", (8, 8), 16, 1, 7)["groups"] == (1, 4, 4, 4)


@pytest.mark.once
def test_an_attention_of_tokens_knows_the_grid_that_they_come_from():
    assert fit_to_tokens("multi_head", (3, 5)) == {"name": "multi_head"}
    assert fit_to_tokens("multi_head", (3, 5), "rotary_2d")["position"] == {"name": "rotary_2d", "columns": 5}
    assert fit_to_tokens("rotary_2d", (3, 5))["position"] == {"name": "rotary_2d", "columns": 5}
    assert fit_to_tokens("relative_table", (3, 5), more=1)["position"]["size"] == [4, 5]
    assert fit_to_tokens("axial", (3, 5))["columns"] == 5
    assert fit_to_tokens("linformer", (3, 5), more=1)["max_length"] == 16
    for name in ("alibi", "linear"):
        with pytest.raises(ZooValueError, match="'rotary_2d' wants an attention that takes a position"):
            fit_to_tokens(name, (3, 5), "rotary_2d")


@pytest.mark.once
def test_the_role_of_an_attention_decides_where_it_may_stand():
    assert role_of("eca", ("self", "image")) == "image"
    assert role_of({"name": "rotary"}, ("self", "image")) == "self"
    with pytest.raises(ZooValueError, match="'attention_pooling' is for pool, wanted one for 'image': squeeze_excite"):
        role_of("attention_pooling", ("image",))
    with pytest.raises(ZooValueError, match="'cbam'"):
        role_of("cbma", ("image",))
    with pytest.raises(ZooTypeError, match="a name or a dict with 'name', got 3"):
        role_of(3, ("image",))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ResidualBlock(8, "basik"), "'basic'"),
        (lambda: ResidualBlock(8, order="after"), "'post'"),
        (lambda: ResidualBlock(0), "filters must be a whole number of at least 1"),
        (lambda: ResidualBlock(8, dropout=1.0), "dropout must be at least 0 and under 1"),
        (lambda: ResidualBlock(12, norm="group")(IMAGES), "8 groups can share, got 12"),
        (lambda: ResidualBlock(8, attention="multi_head")(IMAGES), "'multi_head' is for self or cross"),
        (lambda: ImageEncoderBlock(8, "multi_head")(IMAGES), "'multi_head' is for self or cross"),
        (lambda: ImageEncoderBlock(-1), "feed_forward must be at least 0"),
        (lambda: ConvNextBlock(kernel=0), "kernel must be a whole number of at least 1"),
        (lambda: PatchMerging(4, 0), "stride must be at least 1"),
        (lambda: PlaceEmbedding("lerned"), "'learned'"),
        (lambda: PlaceEmbedding("sinusoidal_2d")(IMAGES[..., :3]), "even number of at least 4 channels, got 3"),
        (lambda: PlaceEmbedding("learned")(keras.Input((None, 6, 8))), "known height and width"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(ZooError, match=sentence):
        make()
