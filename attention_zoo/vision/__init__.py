"""Raw images to arrays of one size, whatever the user has: paths, bytes, PIL images, arrays, tensors.

from attention_zoo.vision import ImagePreprocessor
preprocessor = ImagePreprocessor(height=32, width=32, channels=3)
preprocessor(["cat.jpg", "dog.png"])["pixels"]          # float32 [2, 32, 32, 3], 0 to 1
"""

from attention_zoo.vision.images import MAX_PIXELS, as_image, as_images, as_items
from attention_zoo.vision.preprocessor import ImagePreprocessor

__all__ = ["MAX_PIXELS", "ImagePreprocessor", "as_image", "as_images", "as_items"]
