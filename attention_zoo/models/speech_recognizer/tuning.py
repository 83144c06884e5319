"""How much the language model counts in a search by CTC: tried on sounds whose transcripts are known."""

from collections.abc import Sequence
from typing import Any

from attention_zoo.audio import SpeechPreprocessor, spoken
from attention_zoo.models.speech_recognizer.listening import Listener
from attention_zoo.runtime.transcription import Heard, Hearing, by_ctc, transcribed
from attention_zoo.text.wer import measures

WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
BONUSES = (0.0, 0.5, 1.0)


def tried(
    listener: Listener,
    preprocessor: SpeechPreprocessor,
    sounds: Sequence[Any],
    texts: Sequence[str],
    settings: Hearing,
    batch_size: int = 16,
) -> list[dict[str, float]]:
    """Transcribe sounds with each weight of the language model and each bonus for a unit.

    The network runs once; only the search is repeated.

    Args:
        listener: with the network.
        preprocessor: with a language model.
        sounds: each not longer than what is read at once, or it counts as its pieces.
        texts: what is said.
        settings: of the search, but for what is tried.
        batch_size: sounds run at once.

    Returns:
        for each pair lm_weight, length_bonus, wer, cer, fewest errors first; of equal ones the least weight and bonus.

    Raises:
        ZooImportError: if jiwer (extra `train`) is missing.
    """
    rows, starts, counts = preprocessor.rows(sounds)
    chances = listener.chances(rows, batch_size)
    references, separator, found = [spoken(text) for text in texts], preprocessor.units.separator, []
    for weight in WEIGHTS:
        for bonus in BONUSES if weight else BONUSES[:1]:
            search = Hearing(beam=settings.beam, lm_weight=weight, length_bonus=bonus)
            heard = (
                Heard(by_ctc(one, search, preprocessor.language, separator), one, at)
                for one, at in zip(chances, starts)
            )
            said = [transcribed([next(heard) for _ in range(count)], preprocessor.decode, 1, None) for count in counts]
            told = measures([one.text for one in said], references)
            found.append({"lm_weight": weight, "length_bonus": bonus, "wer": told["wer"], "cer": told["cer"]})
    return sorted(found, key=lambda one: (one["wer"], one["cer"], one["lm_weight"], one["length_bonus"]))
