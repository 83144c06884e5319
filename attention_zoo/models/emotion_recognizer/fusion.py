"""Fusion by name: what several encoders read becomes one vector, whichever of them are missing."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import keras

from attention_zoo.blocks.encoder import EPSILON
from attention_zoo.errors import ZooError, ZooTypeError
from attention_zoo.layers.fusion import (
    BottleneckFusion,
    CrossModalAttention,
    FeatureWiseModulation,
    GatedMultimodalUnit,
    LowRankFusion,
    ParallelCoAttention,
    TensorFusion,
)
from attention_zoo.models.emotion_recognizer.config import EmotionRecognizerConfig
from attention_zoo.models.emotion_recognizer.encoders import Read, pool

BOTTLENECK_LAYERS = 2  # one fills the shared tokens, one lets each modality read them
SMALL = 12  # channels of each modality in the outer product: (12 + 1)^3 products of three

Reads = Sequence[Read]


def fuse(reads: Reads, config: EmotionRecognizerConfig, prefix: str = "") -> Any:
    """Join what the encoders read to one vector a row.

    The vector of a row depends on the modalities that it has and on nothing else.

    Args:
        reads: one or several modalities; one alone is only pooled.
        config: has pooling and fusion.
        prefix: of the names of all layers made here.

    Returns:
        [batch, channels].

    Raises:
        ZooTypeError: if the fusion's dict holds an argument that its layer does not take.
    """
    if len(reads) == 1:
        return pool(reads[0], config, f"{prefix}{reads[0].name}_pooling")
    chosen = dict(config.fusion) if isinstance(config.fusion, dict) else {"name": config.fusion}
    name = chosen.pop("name")
    try:
        fused = FUSIONS[name](reads, config, prefix, chosen)
    except ZooError:
        raise
    except (TypeError, ValueError) as error:
        raise ZooTypeError(f"fusion {name!r}: {error}") from error
    return keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{prefix}fusion_norm")(fused)


def _vectors(reads: Reads, config: EmotionRecognizerConfig, prefix: str) -> list[Any]:
    """Return one vector of each modality, zeros where it is missing."""
    return [pool(read, config, f"{prefix}{read.name}_pooling") for read in reads]


def _heads(config: EmotionRecognizerConfig) -> dict[str, Any]:
    return {"num_heads": config.heads, "key_dim": config.width // config.heads, "dropout": config.attention_dropout}


def _concat(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Lay the vectors side by side."""
    return keras.layers.Concatenate(name=f"{prefix}fusion", **options)(_vectors(reads, config, prefix))


def _gated(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Let gates share each channel among the modalities that are there."""
    unit = GatedMultimodalUnit(**{"units": config.width, "tied": True, "name": f"{prefix}fusion", **options})
    return unit(_vectors(reads, config, prefix), mask=[read.present for read in reads])


def _mult(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Let the steps of each modality ask those of all others, and pool each."""
    pooled = []
    for target in reads:
        others = [read for read in reads if read is not target]
        asking = CrossModalAttention(**{**_heads(config), "name": f"{prefix}fusion_{target.name}", **options})
        steps = asking(
            target.steps,
            [read.steps for read in others],
            target_mask=target.mask,
            sources_mask=[read.mask for read in others],
        )
        pooled.append(pool(target._replace(steps=steps), config, f"{prefix}{target.name}_pooling"))
    return keras.layers.Concatenate(name=f"{prefix}fusion")(pooled)


def _bottleneck(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Let modalities exchange what they know through shared tokens, and lay all beside what the tokens became."""
    masks, steps = [read.mask for read in reads], [read.steps for read in reads]
    for number in range(1, BOTTLENECK_LAYERS + 1):
        own = {**options, "tokens": options.get("tokens", 4) if number == 1 else 0}
        layer = BottleneckFusion(**{**_heads(config), **own, "name": f"{prefix}fusion_{number}"})
        *modalities, tokens = layer(steps, mask=masks if number == 1 else [*masks, None])
        steps = [*modalities, tokens]
    shared = keras.layers.GlobalAveragePooling1D(data_format="channels_last", name=f"{prefix}fusion_tokens")(tokens)
    moved = [read._replace(steps=one) for read, one in zip(reads, modalities)]
    return keras.layers.Concatenate(name=f"{prefix}fusion")([shared, *_vectors(moved, config, prefix)])


def _tensor(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Multiply few channels of each modality with those of all others."""
    width = options.pop("width", SMALL)
    small = [
        keras.layers.Dense(width, activation="tanh", name=f"{prefix}{read.name}_small")(vector)
        for read, vector in zip(reads, _vectors(reads, config, prefix))
    ]
    products = TensorFusion(name=f"{prefix}fusion", **options)(small, mask=[read.present for read in reads])
    products = keras.layers.Dropout(config.head_dropout, name=f"{prefix}fusion_dropout")(products)
    return keras.layers.Dense(config.width, activation="gelu", name=f"{prefix}fusion_projection")(products)


def _low_rank(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Multiply projections of all modalities, in a few terms."""
    layer = LowRankFusion(**{"units": config.width, "name": f"{prefix}fusion", **options})
    return layer(_vectors(reads, config, prefix), mask=[read.present for read in reads])


def _co_attention(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Sum up each pair of modalities with an eye on each other, and lay all sums side by side."""
    sums: list[Any] = []
    for first, second in combinations(reads, 2):
        name = f"{prefix}fusion_{first.name}_{second.name}"
        layer = ParallelCoAttention(**{"units": max(config.width // 2, 1), "name": name, **options})
        sums += layer(first.steps, second.steps, first_mask=first.mask, second_mask=second.mask)
    return keras.layers.Concatenate(name=f"{prefix}fusion")(sums)


def _film(reads: Reads, config: EmotionRecognizerConfig, prefix: str, options: dict[str, Any]) -> Any:
    """Let the vectors of the other modalities scale and shift the steps of each, and pool them again."""
    vectors = _vectors(reads, config, prefix)
    pooled = []
    for target in reads:
        steps = target.steps
        for condition, vector in zip(reads, vectors):
            if condition is not target:
                layer = FeatureWiseModulation(name=f"{prefix}fusion_{target.name}_by_{condition.name}", **options)
                steps = layer(steps, vector, inputs_mask=target.mask, condition_mask=condition.present)
        pooled.append(pool(target._replace(steps=steps), config, f"{prefix}fusion_{target.name}_pooling"))
    return keras.layers.Concatenate(name=f"{prefix}fusion")(pooled)


Fusion = Callable[[Reads, EmotionRecognizerConfig, str, dict[str, Any]], Any]
FUSIONS: dict[str, Fusion] = {
    "concat": _concat,
    "gated": _gated,
    "mult": _mult,
    "bottleneck": _bottleneck,
    "tensor": _tensor,
    "low_rank": _low_rank,
    "co_attention": _co_attention,
    "film": _film,
}
