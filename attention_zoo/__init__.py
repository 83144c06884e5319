"""attention_zoo: every attention, ready to use in Keras 3.

    import attention_zoo as az

    model = az.load("clinc150_intent")
    model.predict(["book me a flight to rome"])

Importing the package loads neither Keras nor a backend; what needs them loads them when it is first used.
"""

import importlib
from typing import Any

from attention_zoo.backends import choose as _choose_backend

__version__ = "0.1.0"

# Public name -> (module, attribute); None stands for the module itself.
_LAZY = {
    "load": ("attention_zoo.catalogue", "load"),
    "list_models": ("attention_zoo.catalogue", "list_models"),
    "capture": ("attention_zoo.calibrate.capture", "capture"),
    "register": ("attention_zoo.core.part", "register"),
    "part_names": ("attention_zoo.core", "part_names"),
    "TextClassifier": ("attention_zoo.models.text_classifier", "TextClassifier"),
    "ImageClassifier": ("attention_zoo.models.image_classifier", "ImageClassifier"),
    "Translator": ("attention_zoo.models.translator", "Translator"),
    "SpeechRecognizer": ("attention_zoo.models.speech_recognizer", "SpeechRecognizer"),
    "EmotionRecognizer": ("attention_zoo.models.emotion_recognizer", "EmotionRecognizer"),
    "Recommender": ("attention_zoo.models.recommender", "Recommender"),
    "layers": ("attention_zoo.layers", None),
    "blocks": ("attention_zoo.blocks", None),
    "core": ("attention_zoo.core", None),
    "data": ("attention_zoo.data", None),
    "runtime": ("attention_zoo.runtime", None),
    "interop": ("attention_zoo.interop", None),
    "vision": ("attention_zoo.vision", None),
    "audio": ("attention_zoo.audio", None),
    "recsys": ("attention_zoo.recsys", None),
    "testing": ("attention_zoo.testing", None),
}

__all__ = ["__version__", *_LAZY]

# The name of the backend chosen here, or None: the command line says it.
_chosen_backend = _choose_backend()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'attention_zoo' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    loaded = importlib.import_module(module)
    return loaded if attribute is None else getattr(loaded, attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
