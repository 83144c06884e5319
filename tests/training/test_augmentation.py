"""Augmentation: the same pixels for the same generator, labels in the shares of the pixels, settings checked."""

import keras
import numpy as np
import pytest

from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.training import AUGMENTATIONS, augmentation

STEPS = [
    "flip",
    {"name": "flip", "vertical": True, "probability": 1.0},
    {"name": "crop", "padding": 3, "fill": "reflect"},
    "erase",
    {"name": "erase", "fill": 7, "probability": 1.0},
    "mixup",
    "cutmix",
    {"name": "one_of", "steps": ["mixup", "cutmix"]},
    {"name": "rand_augment", "magnitude": 1.0, "operations": 3},
]
NAMES = [str(step) for step in STEPS]


def pictures(count=40, height=14, width=10, channels=3, seed=0):
    return np.random.default_rng(seed).integers(1, 256, (count, height, width, channels), dtype=np.uint8)


def one_hot(count=40, labels=5):
    return np.eye(labels, dtype="float32")[np.arange(count) % labels]


def run(steps, pixels, targets=None, seed=0):
    return augmentation(steps)(pixels, targets, np.random.default_rng(seed))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_a_step_depends_on_its_generator_only_and_changes_nothing_in_place(step, channels):
    pixels, targets = pictures(channels=channels), one_hot()
    kept = pixels.copy(), targets.copy()
    first, second = (run(step, pixels, targets, seed=4) for _ in range(2))
    other = run(step, pixels, targets, seed=5)
    assert first[0].dtype == np.uint8 and first[0].shape == pixels.shape
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert np.any(first[0] != pixels)
    if step != STEPS[1]:
        assert np.any(first[0] != other[0])
    np.testing.assert_array_equal(pixels, kept[0])
    np.testing.assert_array_equal(targets, kept[1])
    np.testing.assert_allclose(first[1].sum(axis=1), 1, atol=1e-6)


def test_the_same_pixels_come_out_on_every_backend():
    """Numbers written down once: they come from NumPy and Pillow, whatever runs the network."""
    steps = ["flip", {"name": "crop", "padding": 2}, "erase", {"name": "one_of", "steps": ["mixup", "cutmix"]}]
    pixels, targets = run(steps, pictures(), one_hot(), seed=3)
    assert (int(pixels.astype("int64").sum()), round(float((targets**2).sum()), 4)) == (WRITTEN, SHARES)


def test_a_flip_mirrors_half_of_the_pictures():
    pixels = pictures(400)
    made, _ = run("flip", pixels)
    mirrored = np.all(made == pixels[:, :, ::-1], axis=(1, 2, 3))
    assert np.all(mirrored | np.all(made == pixels, axis=(1, 2, 3)))
    assert 150 < mirrored.sum() < 250


def test_a_crop_shifts_by_at_most_its_padding_to_every_side():
    pixels = np.zeros((600, 9, 9, 1), dtype=np.uint8)
    pixels[:, 4, 4] = 255
    made, _ = run({"name": "crop", "padding": 2}, pixels)
    _, down, across, _ = np.nonzero(made)
    assert set(zip(down.tolist(), across.tolist())) == {(y, x) for y in range(2, 7) for x in range(2, 7)}


def test_an_erased_rectangle_has_the_wanted_area_and_is_one_rectangle():
    pixels = np.full((300, 40, 40, 1), 255, dtype=np.uint8)
    made, _ = run({"name": "erase", "probability": 1.0, "area": (0.1, 0.2), "aspect": (0.5, 2.0), "fill": 0}, pixels)
    for hole in made[..., 0] == 0:
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        assert hole.sum() == len(rows) * len(columns) == np.ptp(rows) * np.ptp(columns) + len(rows) + len(columns) - 1
        assert 0.09 < hole.mean() < 0.22
        assert 0.4 < len(rows) / len(columns) < 2.5


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_labels_have_the_shares_of_the_pixels(name):
    count = 64
    pixels = np.repeat(np.arange(count, dtype=np.uint8) * 4, 20 * 20).reshape(count, 20, 20, 1)
    made, shares = run({"name": name, "alpha": 1.0}, pixels, np.eye(count, dtype="float32"))
    grey = np.arange(count) * 4
    np.testing.assert_allclose(shares @ grey, made.mean(axis=(1, 2, 3)), atol=0.5)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert np.sum(shares.max(axis=1) < 0.9) > count / 2


def test_a_probability_of_0_leaves_pictures_and_labels_alone():
    pixels, targets = pictures(), one_hot()
    steps = [{"name": name, "probability": 0.0} for name in ("flip", "erase", "mixup", "cutmix")]
    made, shares = run(steps, pixels, targets)
    np.testing.assert_array_equal(made, pixels)
    np.testing.assert_array_equal(shares, targets)


def test_one_of_takes_each_of_its_steps():
    pixels = np.zeros((1, 4, 4, 1), dtype=np.uint8)
    fills = [{"name": "erase", "probability": 1.0, "area": (1.0, 1.0), "fill": fill} for fill in (50, 100)]
    step = augmentation({"name": "one_of", "steps": fills})
    random = np.random.default_rng(0)
    assert {int(step(pixels, None, random)[0].max()) for _ in range(20)} == {50, 100}


def test_rand_augment_draws_for_each_picture_of_its_own_and_is_gentle_at_0():
    pixels = np.repeat(pictures(1), 60, axis=0)
    strong, _ = run({"name": "rand_augment", "magnitude": 1.0}, pixels)
    assert len(np.unique(strong.reshape(60, -1), axis=0)) > 30
    smooth = np.broadcast_to(np.linspace(0, 255, 16, dtype=np.uint8)[:, None, None], (60, 16, 16, 1))
    gentle, _ = run({"name": "rand_augment", "magnitude": 0.0}, smooth)
    assert np.median(np.abs(gentle.astype(int) - smooth).max(axis=(1, 2, 3))) <= 1


def test_any_keras_layer_takes_its_seed_from_the_generator():
    layer = keras.layers.RandomTranslation(0.2, 0.2, fill_mode="constant")
    pixels = pictures(16)
    step = augmentation([layer, "flip"])
    first = step(pixels, None, np.random.default_rng(1))[0]
    step(pixels, None, np.random.default_rng(2))
    again = step(pixels, None, np.random.default_rng(1))[0]
    np.testing.assert_array_equal(first, again)
    assert np.any(step(pixels, None, np.random.default_rng(2))[0] != first)


def test_layers_inside_a_layer_are_seeded_too():
    layer = keras.layers.AugMix(value_range=(0, 255), num_chains=2)
    pixels = pictures(4)
    made = [augmentation(layer)(pixels, None, np.random.default_rng(1))[0] for _ in range(2)]
    np.testing.assert_array_equal(*made)


def test_a_mixing_keras_layer_mixes_labels():
    step = augmentation(keras.layers.MixUp(alpha=1.0))
    assert step.mixes
    made, shares = step(pictures(), one_hot(), np.random.default_rng(0))
    assert made.dtype == np.uint8
    np.testing.assert_allclose(np.asarray(shares).sum(axis=1), 1, atol=1e-5)
    assert np.any((np.asarray(shares) > 0.01) & (np.asarray(shares) < 0.99))


def test_an_augmentation_is_made_again_from_its_plain_settings():
    steps = augmentation([*STEPS, keras.layers.RandomBrightness(0.2, value_range=(0, 255))])
    again = augmentation(steps.steps)
    assert again.steps == steps.steps
    assert [step.get("name") for step in steps.steps[:3]] == ["flip", "flip", "crop"]
    pixels, targets = pictures(), one_hot()
    first, second = (step(pixels, targets, np.random.default_rng(0)) for step in (steps, again))
    np.testing.assert_array_equal(first[0], second[0])
    assert augmentation(steps) is steps


@pytest.mark.parametrize(
    ("steps", "error", "words"),
    [
        ("flop", ZooValueError, "augmentation 'flop' is unknown.*'flip'"),
        ({"name": "crop", "pading": 2}, ZooValueError, "setting of crop 'pading' is unknown.*'padding'"),
        ({"name": "crop", "padding": 0}, ZooValueError, "padding must be a number at least 1, got 0"),
        ({"name": "crop", "fill": "wrap"}, ZooValueError, "fill must be one of zero, edge, reflect, got 'wrap'"),
        ({"name": "flip", "probability": 1.5}, ZooValueError, "probability must be a number at least 0 and at most 1"),
        ({"name": "erase", "area": (0.5, 0.1)}, ZooValueError, "area must be two numbers, the smaller first"),
        ({"name": "erase", "fill": "mean"}, ZooValueError, "fill must be.*got 'mean'"),
        ({"name": "mixup", "alpha": 0}, ZooValueError, "alpha must be a number above 0, got 0"),
        ({"name": "one_of"}, ZooValueError, "one_of must be given steps"),
        ({"name": "one_of", "steps": ["flip"]}, ZooValueError, "at least two, got 1"),
        ({"padding": 2}, ZooTypeError, "steps must hold names"),
        (7, ZooTypeError, "steps must hold names.*got int 7"),
        (
            keras.layers.RandomBrightness(0.2, value_range=(0, 1)),
            ZooValueError,
            r"value_range.*\(0, 255\), got \(0, 1\)",
        ),
    ],
)
def test_a_step_that_cannot_be_is_one_clear_sentence(steps, error, words):
    with pytest.raises(error, match=words):
        augmentation(steps)


def test_what_cannot_be_mixed_or_kept_in_shape_is_said():
    for targets in (None, np.arange(40)):
        with pytest.raises(ZooValueError, match=r"targets must be \[batch, labels\]"):
            run("mixup", pictures(), targets)
    with pytest.raises(ZooValueError, match="keep the shape"):
        run(keras.layers.CenterCrop(4, 4), pictures(4))
    with pytest.raises(ZooValueError, match="1 or 3 channels, got 2"):
        run("rand_augment", pictures(channels=2))


def test_every_name_can_be_made_without_settings_but_one_of():
    for name in set(AUGMENTATIONS) - {"one_of"}:
        assert augmentation(name).steps[0]["name"] == name


WRITTEN, SHARES = 1697913, 36.3225
