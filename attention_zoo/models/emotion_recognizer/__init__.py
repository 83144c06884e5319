"""Recognize emotions in image, audio and text, any of which may be missing.

recognizer = EmotionRecognizer.new()
recognizer.fit("clips.csv")                                     # columns image, audio, text, label; empty cells
recognizer.predict({"audio": ["a.wav"], "text": ["how nice"]})  # [Answer(label="happy", score=0.91, ...)]
recognizer.modality_weights({"audio": ["a.wav"], "text": ["how nice"]})
"""

from attention_zoo.models.emotion_recognizer.config import CONTEXTS, FUSIONS, SHARINGS, EmotionRecognizerConfig
from attention_zoo.models.emotion_recognizer.network import build_network
from attention_zoo.models.emotion_recognizer.task import EmotionRecognizer
from attention_zoo.models.emotion_recognizer.weighing import ModalityWeights

__all__ = [
    "CONTEXTS",
    "FUSIONS",
    "SHARINGS",
    "EmotionRecognizer",
    "EmotionRecognizerConfig",
    "ModalityWeights",
    "build_network",
]
