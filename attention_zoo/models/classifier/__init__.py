"""What all classifiers share: labels, learning, judging, answers; each family adds what it reads and its network."""

from attention_zoo.models.classifier.config import ClassifierConfig
from attention_zoo.models.classifier.head import LOGITS, classify
from attention_zoo.models.classifier.task import Classifier

__all__ = ["LOGITS", "Classifier", "ClassifierConfig", "classify"]
