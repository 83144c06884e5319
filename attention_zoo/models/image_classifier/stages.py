"""The encoder of images: a stem, and stages of blocks, from pixels to a map of features."""

from typing import Any

import keras

from attention_zoo.blocks import (
    ClassToken,
    ConvNextBlock,
    EncoderBlock,
    ImageEncoderBlock,
    PatchMerging,
    PlaceEmbedding,
    ResidualBlock,
    Standardize,
)
from attention_zoo.blocks.fitting import fit_to_map, fit_to_tokens, role_of
from attention_zoo.blocks.normalizing import make_norm
from attention_zoo.errors import ZooValueError
from attention_zoo.models.image_classifier.config import ImageClassifierConfig


def encode_stages(pixels: Any, config: ImageClassifierConfig) -> Any:
    """Run stem and stages.

    Args:
        pixels: [batch, height, width, channels], 0..1.
        config: every choice.

    Returns:
        The map, [batch, height, width, channels of the last stage]; where a token gathers the class, tokens [batch,
        places + 1, channels], that token last.

    Raises:
        ZooValueError: if an attention has a role that does not fit its place, or a layer refuses its arguments.
    """
    current = _stem(Standardize(config.mean, config.std, name="standardize")(pixels), config)
    for stage, kind in enumerate(config.kinds):
        current = _attend(current, config, stage) if kind == "attention" else _convolve(current, config, stage)
    return _finish(current, config)


def _stem(image: Any, config: ImageClassifierConfig) -> Any:
    """Bring pixels to the channels of the first stage."""
    # A bottleneck widens what it reads; the stem gives it the width between its convolutions.
    narrow = config.expansion if config.kinds[0] == "bottleneck" else 1
    width = max(config.widths[0] // narrow, 1)
    if config.stem == "patch":
        return _convolution("stem", width, config.patch, config.patch, use_bias=True)(image)
    if config.stem == "convolutions":
        halvings = config.patch.bit_length() - 1
        for number in range(1, halvings + 1):
            inner = max(width // 2 ** (halvings - number), 1)
            image = _normed(_convolution(f"stem_{number}", inner, 3, 2)(image), config, f"stem_{number}")
        return _convolution("stem", width, 1, use_bias=True)(image)
    if config.stem == "small":
        image = _convolution("stem", width, 3)(image)
    else:
        image = _convolution("stem", width, 7, 2)(image)
        image = keras.layers.MaxPooling2D(3, 2, "same", data_format="channels_last", name="stem_pooling")(image)
    # Blocks of order "pre" normalize what they read; one norm more would do nothing for them.
    starts_normed = config.order == "pre" and config.kinds[0] in ("basic", "bottleneck", "inverted", "fused")
    return image if starts_normed else _normed(image, config, "stem")


def _convolution(name: str, width: int, kernel: int, stride: int = 1, use_bias: bool = False) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        width,
        kernel,
        stride,
        "same",
        use_bias=use_bias,
        kernel_initializer="he_normal",
        data_format="channels_last",
        name=name,
    )


def _normed(image: Any, config: ImageClassifierConfig, name: str, kind: str | None = None, bend: bool = True) -> Any:
    """Normalize, and bend where asked."""
    image = make_norm(kind or config.norm, f"{name}_norm", image.shape[-1])(image)
    return keras.layers.Activation(config.activation, name=f"{name}_activation")(image) if bend else image


def _depth_rate(config: ImageClassifierConfig, stage: int, block: int) -> float:
    """Return how often a block is left out: more, the deeper it lies."""
    before = sum(config.depths[:stage])
    return config.stochastic_depth * (before + block + 1) / sum(config.depths)


def _convolve(current: Any, config: ImageClassifierConfig, stage: int) -> Any:
    """Run a stage of convolution blocks."""
    kind, width = config.kinds[stage], config.widths[stage]
    if kind == "convnext":
        current = _merge(current, config, stage)
    for block in range(config.depths[stage]):
        stride = config.strides[stage] if block == 0 else 1
        size = tuple(-(-side // stride) for side in current.shape[1:3])
        name = f"stage_{stage + 1}_block_{block + 1}"
        rate = _depth_rate(config, stage, block)
        gate = _gate(config, stage, block, (*size, current.shape[-1]))
        if kind == "convnext":
            options = (config.kernel, config.expansion, config.activation, gate, config.dropout, rate)
            current = ConvNextBlock(*options, name=name)(current)
            continue
        current = ResidualBlock(
            width,
            kind,
            stride,
            config.order,
            config.norm,
            config.activation,
            gate,
            config.expansion,
            config.kernel,
            config.dropout,
            rate,
            name=name,
        )(current)
    return current


def _gate(config: ImageClassifierConfig, stage: int, block: int, shape: tuple[int, int, int]) -> Any:
    """Return what a convolution block attends with, or None, for its height and width and the channels it reads."""
    if config.gate_stages is not None and stage + 1 not in config.gate_stages:
        return None
    turns = (config.gate,) if config.attends else config.turns
    turn = turns[block % len(turns)]
    if turn == "none":
        return None
    role_of(turn, ("image",))
    wide = config.kinds[stage] in ("inverted", "fused")
    width = shape[2] * config.expansion if wide else config.widths[stage]
    return fit_to_map(turn, shape[:2], width, config.stage_heads[stage], config.window)


def _attend(current: Any, config: ImageClassifierConfig, stage: int) -> Any:
    """Run a stage of attention blocks, on the map or on its places as tokens."""
    current = _merge(current, config, stage)
    name, (height, width) = f"stage_{stage + 1}", current.shape[1:3]
    roles = [role_of(turn, ("self", "image")) for turn in config.turns]
    more = int(config.pooling == "class_token" and stage == len(config.kinds) - 1)
    if "image" in roles and (more or config.position == "rotary_2d"):
        choice = "pooling 'class_token'" if more else "position 'rotary_2d'"
        turn = config.turns[roles.index("image")]
        raise ZooValueError(f"{choice} wants attention for 'self' in each block, got {turn!r}, which reads images")
    if config.position not in ("none", "rotary_2d"):
        current = PlaceEmbedding(config.position, name=f"{name}_position")(current)
    shape, hidden = (height, width, config.widths[stage]), int(config.feed_forward * config.widths[stage])
    tokens = False
    for block in range(config.depths[stage]):
        turn, role = config.turns[block % len(config.turns)], roles[block % len(roles)]
        label = f"{name}_block_{block + 1}"
        options = {"dropout": config.dropout, "kind": config.feed_forward_kind, "norm": config.order}
        options |= {"stochastic_depth": _depth_rate(config, stage, block), "name": label}
        current, tokens = _as(role, current, tokens, shape, label), role == "self"
        if role == "image":
            fitted = fit_to_map(turn, shape[:2], shape[2], config.stage_heads[stage], config.window)
            current = ImageEncoderBlock(hidden, fitted, **options)(current)
            continue
        if more and block == 0:
            current = ClassToken(name="class_token")(current)
        fitted = fit_to_tokens(turn, shape[:2], config.position, more)
        options["attention_dropout"] = config.attention_dropout
        current = EncoderBlock(config.stage_heads[stage], hidden, fitted, **options)(current)
    return current if more else _as("image", current, tokens, shape, name)


def _as(role: str, current: Any, tokens: bool, shape: tuple[int, int, int], name: str) -> Any:
    """Bring a map to tokens, or tokens to a map, where they are not what the role reads."""
    if tokens == (role == "self"):
        return current
    if role == "self":
        return keras.layers.Reshape((shape[0] * shape[1], shape[2]), name=f"{name}_tokens")(current)
    return keras.layers.Reshape(shape, name=f"{name}_map")(current)


def _merge(current: Any, config: ImageClassifierConfig, stage: int) -> Any:
    """Bring a map to a stage's size and channels."""
    width, stride = config.widths[stage], config.strides[stage]
    if stride == 1 and current.shape[-1] == width:
        return current
    return PatchMerging(width, stride, name=f"stage_{stage + 1}_merging")(current)


def _finish(current: Any, config: ImageClassifierConfig) -> Any:
    """Normalize what the last block left as a sum of what all blocks found."""
    last, post = config.kinds[-1], config.order == "post"
    if last == "convnext" or (last == "attention" and not post):
        return _normed(current, config, "final", "layer", bend=False)
    if last == "attention" or (post and last in ("basic", "bottleneck")):
        return current
    return _normed(current, config, "final")
