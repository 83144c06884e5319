"""Run an exported bundle with NumPy, tokenizers and onnxruntime; no Keras, no TensorFlow.

runner = attention_zoo.runtime.load("my_bundle")
runner.predict(["book me a flight to rome"])        # of a classifier
runner.translate(["two dogs play in the snow"])     # of a translator
runner.transcribe(["question.wav"])                 # of a speech recognizer
runner.predict({"audio": ["a.wav"], "text": ["so glad"]})               # of an emotion recognizer
runner.recommend([["B001", "B007"]], k=5)           # of a recommender
"""

from attention_zoo.runtime.classifying import ClassifierRunner
from attention_zoo.runtime.emotions import EmotionRunner
from attention_zoo.runtime.recognizing import SpeechRunner
from attention_zoo.runtime.recommending import RecommenderRunner
from attention_zoo.runtime.runner import Runner, answer_options, is_bundle, load, preprocessor_class
from attention_zoo.runtime.transcription import Hearing, Transcript
from attention_zoo.runtime.translating import TranslatorRunner
from attention_zoo.runtime.translation import Translation

__all__ = [
    "ClassifierRunner",
    "EmotionRunner",
    "Hearing",
    "RecommenderRunner",
    "Runner",
    "SpeechRunner",
    "Transcript",
    "Translation",
    "TranslatorRunner",
    "answer_options",
    "is_bundle",
    "load",
    "preprocessor_class",
]
