"""Classify pictures: one label or several, any kind and size of picture.

classifier = ImageClassifier.new(network="hybrid", height=64, width=64)
classifier.fit("pictures/")                  # a folder with a folder for each label
classifier.predict("cat.jpg")                # [Answer(label="cat", score=0.98, ...)]
"""

from attention_zoo.models.image_classifier.config import NETWORKS, ImageClassifierConfig
from attention_zoo.models.image_classifier.network import build_network
from attention_zoo.models.image_classifier.task import ImageClassifier

__all__ = ["NETWORKS", "ImageClassifier", "ImageClassifierConfig", "build_network"]
