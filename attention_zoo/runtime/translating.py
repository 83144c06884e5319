"""Translate with a bundle."""

from collections.abc import Iterable, Sequence
from typing import Any

from attention_zoo.checks import whole_number
from attention_zoo.runtime import translation
from attention_zoo.runtime.generating import GeneratingRunner
from attention_zoo.runtime.translation import Translation


class TranslatorRunner(GeneratingRunner):
    """Translate with an exported encoder and decoder; made by `runtime.load`.

    Attributes:
        preprocessor: the bundle's.
        description: the contents of `bundle.json`; its "decoding" holds what a search does where nothing is asked for.
    """

    keys = ("decoding",)
    options = ("beam", "length_penalty", "max_length", "nbest")

    def translate(
        self,
        texts: Any,
        beam: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
        nbest: int = 1,
        *,
        batch_size: int = 32,
        **options: Any,
    ) -> list[Translation]:
        """Translate texts.

        Texts of like size are run together; one that is too long is translated in parts.

        Args:
            texts: one or many: strings, or UTF-8 bytes. An empty one has an empty translation.
            beam: hypotheses kept alive; 1 is greedy search, None is the bundle's own.
            length_penalty: power by which longer translations are favoured; None is the bundle's own.
            max_length: tokens of a translation at most; None is the bundle's own.
            nbest: translations of each text, at most `beam`.
            batch_size: texts run at once, at least 1.
            **options: further fields of `search.Decoding`: coverage_penalty, ctc_weight, early_stopping, sample,
                temperature, top_k, top_p, seed.

        Returns:
            one `Translation` for each text.

        Raises:
            ZooValueError: if there is no text, one is no UTF-8, or a number cannot work.
            ZooTypeError: if something is no text.
        """
        asked = {"beam": beam, "length_penalty": length_penalty, "max_length": max_length, "nbest": nbest}
        settings = translation.decoding(self.description["decoding"], {**asked, **options})
        batch_size = whole_number("batch_size", batch_size)
        texts = self.preprocessor.items(texts)
        parts, owners = translation.split(self.preprocessor, texts)
        found: list[list[tuple[str, float]]] = [[] for _ in parts]
        order = sorted(range(len(parts)), key=lambda number: self.preprocessor.size(parts[number]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            source_ids = self.preprocessor([parts[number] for number in chosen])["source_ids"]
            told = self.generate(source_ids, settings, numbers=chosen)
            for row, number in enumerate(chosen):
                words = [self.preprocessor.decode(ids.tolist()) for ids in told["token_ids"][row]]
                found[number] = list(zip(words, told["scores"][row].tolist()))
        return translation.join(found, owners, len(texts), settings.nbest)

    def records(self, inputs: Sequence[str], **options: Any) -> Iterable[dict[str, Any]]:
        """Translate texts, one dict each; options as for `translate`."""
        noun = self.preprocessor.noun
        for one, found in zip(inputs, self.translate(inputs, **options)):
            yield {noun: one, **found.record()}
