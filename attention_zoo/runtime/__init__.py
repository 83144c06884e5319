"""Run an exported bundle with NumPy, tokenizers and onnxruntime; no Keras, no TensorFlow.

runner = attention_zoo.runtime.load("my_bundle")
runner.predict(["book me a flight to rome"])        # of a classifier
runner.translate(["two dogs play in the snow"])     # of a translator
"""

from attention_zoo.runtime.classifying import ClassifierRunner
from attention_zoo.runtime.generating import GeneratingRunner
from attention_zoo.runtime.runner import Runner, load, preprocessor_class
from attention_zoo.runtime.translation import Translation

__all__ = ["ClassifierRunner", "GeneratingRunner", "Runner", "Translation", "load", "preprocessor_class"]
