"""Run an exported bundle with NumPy, tokenizers and onnxruntime; no Keras, no TensorFlow.

runner = attention_zoo.runtime.load("my_bundle")
runner.predict(["book me a flight to rome"])
"""

from attention_zoo.runtime.runner import Runner, load, preprocessor_class

__all__ = ["Runner", "load", "preprocessor_class"]
