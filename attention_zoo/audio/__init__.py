"""Sounds to features and transcripts to numbered units, whatever the user has: paths, bytes, arrays, a microphone.

from attention_zoo.audio import SpeechPreprocessor
preprocessor = SpeechPreprocessor.train(sounds, texts)      # mean and deviation of each band, letters
preprocessor(["one.wav", (samples, 44_100)])                # {"features": [2, frames, 80], "frames": [2]}
preprocessor.targets(["Hello there"])                       # rows of ids; preprocessor.decode(ids) is text again
for piece in preprocessor.split("an_hour.ogg"): ...         # pieces of 30 s, cut where it is quiet
"""

from attention_zoo.audio.augmenting import SpecAugment, at_gain, at_speed, with_noise
from attention_zoo.audio.cutting import Piece
from attention_zoo.audio.features import LogMel, LogMelStream
from attention_zoo.audio.reading import Sound, SoundInfo, as_items, blocks, info, read_sound
from attention_zoo.audio.resampling import Resampler, resample
from attention_zoo.audio.speech import SpeechPreprocessor
from attention_zoo.audio.streaming import FeatureStream
from attention_zoo.audio.units import Letters, WordPieces, spoken

__all__ = [
    "FeatureStream",
    "Letters",
    "LogMel",
    "LogMelStream",
    "Piece",
    "Resampler",
    "Sound",
    "SoundInfo",
    "SpecAugment",
    "SpeechPreprocessor",
    "WordPieces",
    "as_items",
    "at_gain",
    "at_speed",
    "blocks",
    "info",
    "read_sound",
    "resample",
    "spoken",
    "with_noise",
]
