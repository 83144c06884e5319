"""Raw strings to arrays of token numbers, and back to the text's own pieces."""

from attention_zoo.text.preprocessor import TextPreprocessor
from attention_zoo.text.rows import Token
from attention_zoo.text.translation import TranslationPreprocessor

__all__ = ["TextPreprocessor", "Token", "TranslationPreprocessor"]
