"""What a hypothesis is worth: its log-probability, made fair to long ones and to those that leave nothing out."""

from typing import Any

from attention_zoo.search.settings import Decoding

# Log-probability of what cannot be; infinity would turn to NaN in a difference. What lies under DEAD is no hypothesis.
FLOOR, DEAD = -1e9, -1e8
# The least attention that counts: a place that got none costs coverage_penalty x 23.
LEAST = 1e-10


def length_penalty(arrays: Any, settings: Decoding, lengths: Any) -> Any:
    """Return ((5 + length) / 6)^length_penalty.

    Args:
        arrays: namespace of functions.
        settings: of the search.
        lengths: int32, any shape: tokens with the closing [EOS].
    """
    return arrays.power((5.0 + arrays.cast(lengths, "float32")) / 6.0, settings.length_penalty)


def coverage_score(arrays: Any, settings: Decoding, coverage: Any) -> Any:
    """Return coverage_penalty x sum over the last axis of log min(coverage, 1): at most 0."""
    return settings.coverage_penalty * arrays.sum(arrays.log(arrays.minimum(arrays.maximum(coverage, LEAST), 1.0)), -1)


def start_coverage(arrays: Any, settings: Decoding, source_mask: Any, rows: int) -> dict[str, Any]:
    """Return {"coverage": [batch, rows, source]} with 0 at tokens and 1 at padding; nothing where it does not count.

    Args:
        arrays: namespace of functions.
        settings: of the search.
        source_mask: bool [batch, source]; False marks padding.
        rows: hypotheses of each sentence.
    """
    if not settings.coverage_penalty:
        return {}
    padding = arrays.expand_dims(1.0 - arrays.cast(source_mask, "float32"), 1)
    return {"coverage": arrays.concatenate([padding] * rows, axis=1)}
