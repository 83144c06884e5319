"""Rows of image, audio and text, any of them missing, to padded arrays: raw or as feature vectors.

from attention_zoo.multimodal import MultimodalPreprocessor
rows = {"audio": ["a.wav", "b.wav"], "text": ["so glad to see you", None]}      # the second row has no text
preprocessor = MultimodalPreprocessor.learn(rows, mels=64)                      # statistics, vocabulary
preprocessor(rows)          # {"audio": [2, frames, 64], "audio_steps": [2], "text": [2, tokens], "text_steps": [2]}
encoded = preprocessor.encode(rows); preprocessor.arrays(encoded)               # the same in two steps: read once
"""

from attention_zoo.multimodal.kinds import CONVERSATION, KINDS, MODALITIES, steps_of
from attention_zoo.multimodal.preprocessor import MultimodalPreprocessor
from attention_zoo.multimodal.rows import Row, as_rows, as_words
from attention_zoo.multimodal.settings import FIELDS, Settings

__all__ = [
    "CONVERSATION",
    "FIELDS",
    "KINDS",
    "MODALITIES",
    "MultimodalPreprocessor",
    "Row",
    "Settings",
    "as_rows",
    "as_words",
    "steps_of",
]
