"""Why an answer: where the pooling looked, and what each token does to the scores."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo.answers import Answer
from attention_zoo.calibrate.gradients import attention_gradients
from attention_zoo.errors import unknown
from attention_zoo.models.classifier.effects import effects_of, maps_of
from attention_zoo.text import Token
from attention_zoo.text.preprocessor import MASK_ID
from attention_zoo.visualise import Explanation

METHODS = ("attention", "gradient", "occlusion")
ROWS, MULTIPLE = 64, 16  # texts with one token masked that are run at once: at most, and a multiple of


def explanation(
    text: str,
    tokens: Sequence[Token],
    answer: Answer,
    maps: dict[str, np.ndarray],
    effects: dict[str, np.ndarray],
    shape: Sequence[int],
) -> Explanation:
    """Put an explanation together: padding removed, weights one number a token.

    Args:
        text: what was classified.
        tokens: of the text that were read, aligned with the ids by `index`.
        answer: of the model.
        maps: of `classifier.effects.maps_of`.
        effects: of `classifier.effects.effects_of`.
        shape: of the text's ids: (tokens,) or (sentences, tokens).
    """
    places = np.array([token.index for token in tokens], dtype=np.int64)
    weights = _weights(maps, places, shape)
    shown = {site: _shown(value, places, shape) for site, value in maps.items()}
    return Explanation(text, list(tokens), answer, {k: v for k, v in shown.items() if v.size}, weights, effects)


def _weights(maps: dict[str, np.ndarray], places: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return the share of the pooled vector that each token has by its weight, 1 in all."""
    if not len(places):
        return np.zeros(0)
    if len(shape) == 1:
        found = maps.get("pooling", np.ones(shape)).reshape(-1, shape[0]).mean(axis=0)
    else:
        words = maps.get("word_pooling", np.ones((shape[0], 1, shape[1]))).mean(axis=1)
        sentences = maps.get("sentence_pooling", np.ones((1, shape[0]))).mean(axis=0)
        found = (words * sentences[:, None]).reshape(-1)
    found = np.maximum(found[places], 0.0).astype(np.float64)
    # A normalizer may give all weight to a sink, and a network may pool without attention: then all tokens are equal.
    return found / found.sum() if found.sum() > 0 else np.full(len(places), 1.0 / len(places))


def _shown(value: np.ndarray, places: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Remove padding from a map: [head, query, key], [head, key], or [sentence, head, key] over words."""
    if len(shape) == 1:
        value = value[..., places]
        return value[..., places, :] if value.ndim == 3 else value
    if value.ndim == 3 and value.shape[0] == shape[0] and value.shape[-1] == shape[1]:
        # Words of all sentences one after the other: [head, token].
        return np.moveaxis(value, 0, 1).reshape(value.shape[1], -1)[:, places]
    sentences = np.unique(places // shape[1])
    value = value[..., sentences]
    return value[..., sentences, :] if value.ndim == 3 else value


def masked_logits(model: keras.Model, token_ids: np.ndarray, tokens: Sequence[Token]) -> np.ndarray:
    """Return the logits of a text, and then of the text with the mask id in place of each token in turn.

    Args:
        model: a network of the family.
        token_ids: [1, tokens] or [1, sentences, tokens].
        tokens: those that are masked one after the other.

    Returns:
        [1 + tokens, labels].

    Cost: one run of the model for each token, at most 64 at a time.
    """
    shown = np.concatenate([np.ones((1, len(tokens)), bool), ~np.eye(len(tokens), dtype=bool)])
    return hidden_logits(model, token_ids, tokens, shown)


def hidden_logits(model: keras.Model, token_ids: np.ndarray, tokens: Sequence[Token], shown: np.ndarray) -> np.ndarray:
    """Return the logits of versions of a text, in each of which some tokens are the mask id.

    Args:
        model: a network of the family.
        token_ids: [1, tokens] or [1, sentences, tokens].
        tokens: those that may be hidden.
        shown: bool [versions, tokens]; False hides one.

    Returns:
        [versions, labels].

    Cost: one run of the model for each version, at most 64 at a time.
    """
    count = len(shown)
    size = min(ROWS, -(-count // MULTIPLE) * MULTIPLE)
    # All batches have one size, one of a few, so that few shapes are compiled.
    versions = np.repeat(token_ids, -(-count // size) * size, axis=0)
    flat, places = versions.reshape(len(versions), -1), np.array([token.index for token in tokens], np.int64)
    flat[:count, places] = np.where(shown, flat[:count, places], MASK_ID)
    return np.asarray(model.predict(versions, batch_size=size, verbose=0), np.float32)[:count]


def importance(
    task: Any, text: str, token_ids: np.ndarray, tokens: Sequence[Token], label: str, method: str
) -> np.ndarray:
    """Return what one explanation says of each token.

    Args:
        task: the classifier.
        text: as it was read.
        token_ids: [1, tokens] or [1, sentences, tokens].
        tokens: of the text that were read.
        label: whose score is explained.
        method: of METHODS.

    Returns:
        [tokens].

    Raises:
        ZooValueError: if the method is unknown.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    number, shape = task.labels.index(label), token_ids.shape[1:]
    places = np.array([token.index for token in tokens], dtype=np.int64)
    if method == "attention":
        return _weights(maps_of(task.model, token_ids), places, shape)
    if method == "occlusion":
        return effects_of(masked_logits(task.model, token_ids, tokens), task.config)[number]
    values = attention_gradients(task.model, token_ids, number)
    # Maps over tokens; of words of sentences one after the other, they are laid out as the text is.
    found = [value[0].reshape(-1, *shape[-1:]) for value in values.values() if value.shape[-1] == shape[-1]]
    if not found:
        return np.zeros(len(places))
    rows = found[-1] if len(shape) == 1 else next(one for one in found if len(one) % shape[0] == 0)
    summed = rows.sum(axis=0) if len(shape) == 1 else rows.reshape(shape[0], -1, shape[1]).sum(axis=1).reshape(-1)
    return summed[places]
