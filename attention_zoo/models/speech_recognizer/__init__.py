"""From a sound file to words."""

from attention_zoo.models.speech_recognizer.config import SpeechRecognizerConfig
from attention_zoo.models.speech_recognizer.task import SpeechRecognizer

__all__ = ["SpeechRecognizer", "SpeechRecognizerConfig"]
