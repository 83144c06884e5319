"""How near translations are to those of people: BLEU in the two ways it is counted, and chrF."""

import re
from collections.abc import Sequence

from attention_zoo.errors import ZooTypeError, ZooValueError, need

MOSES_LANGUAGES = ("en", "de", "fr", "cs")  # of Multi30k


def measures(
    hypotheses: Sequence[str], references: Sequence[str], language: str | None = None
) -> dict[str, float | str]:
    """Judge translations, each against one reference.

    * `bleu`: BLEU as sacreBLEU counts it: of texts as they are, true case, cut into words by its own rules (13a).
      To be reported, with its signature.
    * `bleu_tokenised`: as papers on Multi30k count: both sides in small letters, punctuation normalised, cut into words
      by the Moses rules of the language (which is how `task1-tokenize.sh` of Multi30k made its tokenised files; 2,999
      of the 3,000 English, German and French references of `test_2016_flickr` come out as published there), then BLEU
      without smoothing, as `multi-bleu.perl`. To be compared with such papers alone. Without a language: small letters,
      cut by 13a.
    * `chrf`: chrF2, the F-score of runs of up to 6 characters.

    Args:
        hypotheses: translations, in true case and untokenised; a blank one is allowed.
        references: what a person wrote, one for each.
        language: "en", "de", "fr" or "cs", that of the translations, for the Moses rules; None for 13a.

    Returns:
        `bleu`, `bleu_tokenised` and `chrf`, each 0 to 100, and `bleu_signature`, `bleu_tokenised_signature` and
        `chrf_signature`, which say how each was counted.

    Raises:
        ZooValueError: if there is nothing to judge, if the two differ in number, if a reference is blank or the
            language is another.
        ZooTypeError: if something is no string.
        ZooImportError: if sacrebleu (or, with a language, sacremoses) is missing.

    Source: Papineni et al. 2002, BLEU; Post 2018, arXiv:1804.08771 (sacreBLEU); Popović 2015 and 2017 (chrF).
    """
    hypotheses, references = list(hypotheses), list(references)
    _check(hypotheses, references, language)
    metrics = need("sacrebleu.metrics", "train")
    found: dict[str, float | str] = {}
    for name, metric in {"bleu": metrics.BLEU(), "chrf": metrics.CHRF()}.items():
        found[name] = metric.corpus_score(hypotheses, [references]).score
        found[f"{name}_signature"] = str(metric.get_signature())
    if language is None:
        metric, how = metrics.BLEU(lowercase=True, smooth_method="none"), ""
    else:
        # The words are ready and small; `force` says that we know.
        metric = metrics.BLEU(tokenize="none", smooth_method="none", force=True)
        hypotheses, references = moses_words(hypotheses, language), moses_words(references, language)
        how = f"|words:lowercase,sacremoses.{need('sacremoses', 'train').__version__}.{language},normalised"
    found["bleu_tokenised"] = metric.corpus_score(hypotheses, [references]).score
    found["bleu_tokenised_signature"] = f"{metric.get_signature()}{how}"
    return found


def moses_words(texts: Sequence[str], language: str) -> list[str]:
    """Write texts in small letters, punctuation normalised, with a blank between any two words, by the Moses rules.

    Args:
        texts: as people write.
        language: "en", "de", "fr" or "cs".

    Raises:
        ZooImportError: if sacremoses is missing.
    """
    moses = need("sacremoses", "train")
    normaliser, cutter = moses.MosesPunctNormalizer(language), moses.MosesTokenizer(language)
    # Runs of blanks are one beforehand: the rules would put a word of their own between some.
    cleaned = (re.sub(r"\s+", " ", text.lower()).strip() for text in texts)
    return [cutter.tokenize(normaliser.normalize(text), return_str=True) for text in cleaned]


def _check(hypotheses: list, references: list, language: str | None) -> None:
    if len(hypotheses) != len(references):
        raise ZooValueError(f"references must be one for each hypothesis ({len(hypotheses)}), got {len(references)}")
    if not hypotheses:
        raise ZooValueError("hypotheses must hold at least one translation, got none")
    for name, texts in {"hypotheses": hypotheses, "references": references}.items():
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise ZooTypeError(f"{name}[{number}] must be a string, got {type(text).__name__} {text!r:.40}")
    if blank := [number for number, text in enumerate(references) if not text.strip()]:
        raise ZooValueError(f"references[{blank[0]}] must hold at least one word, got a blank one")
    if language is not None and language not in MOSES_LANGUAGES:
        raise ZooValueError(f"language must be {', '.join(MOSES_LANGUAGES)} or None, got {language!r}")
