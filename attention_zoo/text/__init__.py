"""Raw strings to arrays of token numbers, and back to the text's own pieces."""

from attention_zoo.text.preprocessor import TextPreprocessor, Token

__all__ = ["TextPreprocessor", "Token"]
