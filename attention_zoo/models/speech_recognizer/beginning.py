"""A new network that begins with what another recognizer has learned."""

from typing import Any

import keras
import numpy as np
from keras import ops

from attention_zoo.audio import SpeechPreprocessor
from attention_zoo.errors import ZooValueError
from attention_zoo.models.speech_recognizer.config import SpeechRecognizerConfig
from attention_zoo.models.speech_recognizer.network import ENCODER
from attention_zoo.models.speech_recognizer.task import SpeechRecognizer
from attention_zoo.training import precision, set_seeds

HEARD = ("units", "pieces", "mels", "max_seconds", "vocabulary_size")  # what belongs to the preprocessor
SIZES = ("width", "depth", "heads", "feed_forward", "kernel_size")


def begin_from(
    other: SpeechRecognizer, *, seed: int = 0, dtype: str | None = None, **config: Any
) -> tuple[SpeechRecognizer, int]:
    """Make a recognizer with the units and features of another one, and with its weights where both have the same.

    So a streaming encoder learns from one that heard whole sounds (their weights have the same names and shapes), and a
    decoder from an encoder that already hears.

    Args:
        other: a trained recognizer.
        seed: of the weights that are new.
        dtype: dtype policy; None is Keras's current one.
        **config: fields of `SpeechRecognizerConfig`; sizes that are left out are those of `other`.

    Returns:
        The recognizer, without a language model, and how many of its weight arrays are those of `other`.

    Raises:
        ZooValueError: if a field cannot work, says otherwise than the preprocessor of `other`, or not all of the
            encoder's weights are there to be taken.
    """
    shared = {name: getattr(other.config, name) for name in (*HEARD, *SIZES)}
    for name in HEARD:
        if config.get(name, shared[name]) != shared[name]:
            raise ZooValueError(f"{name} must be {shared[name]!r}, as of what to begin with, got {config[name]!r}")
    made = SpeechRecognizerConfig.of(**{**shared, **config})
    had = other.preprocessor
    own = SpeechPreprocessor(had.log_mel, had.units, had.mean, had.deviation, had.max_seconds)
    set_seeds(seed)
    with precision(dtype or keras.config.dtype_policy().name):
        model = SpeechRecognizer.build(made)
    known = {weight.path: ops.convert_to_numpy(weight) for weight in other.model.weights}
    taken = [weight for weight in model.weights if np.shape(known.get(weight.path)) == tuple(weight.shape)]
    for weight in taken:
        weight.assign(known[weight.path])
    heard = {weight.path for weight in taken}
    if missing := [path for path in (weight.path for weight in model.get_layer(ENCODER).weights) if path not in heard]:
        raise ZooValueError(f"the encoder must be of the shape of the one to begin with, got another at {missing[0]!r}")
    return SpeechRecognizer(made, own, model, other.card, dtype), len(taken)
