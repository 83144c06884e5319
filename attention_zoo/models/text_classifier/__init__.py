"""Classify texts: one label or several, short texts or long ones.

classifier = TextClassifier.new(network="recurrent")
classifier.fit("reviews.csv")
classifier.predict("what a film")            # [Answer(label="positive", score=0.98, ...)]
"""

from attention_zoo.models.text_classifier.config import NETWORKS, TextClassifierConfig
from attention_zoo.models.text_classifier.network import build_network
from attention_zoo.models.text_classifier.task import TextClassifier

__all__ = ["NETWORKS", "TextClassifier", "TextClassifierConfig", "build_network"]
