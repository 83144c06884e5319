"""Translators: encoder, decoder that goes step by step, and a search."""

from attention_zoo.models.translator.config import TranslatorConfig
from attention_zoo.models.translator.task import Translator

__all__ = ["Translator", "TranslatorConfig"]
