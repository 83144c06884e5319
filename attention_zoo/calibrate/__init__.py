"""See, judge and mend what a model's attention does."""

from attention_zoo.calibrate.capture import Captured, capture

__all__ = ["Captured", "capture"]
