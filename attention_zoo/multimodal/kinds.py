"""What a row may hold, and in which form."""

FRAMES, SOUND, WORDS, FEATURES = "frames", "sound", "words", "features"
MODALITIES = ("image", "audio", "text")
# Forms of each modality, the raw one first.
KINDS = {"image": (FRAMES, FEATURES), "audio": (SOUND, FEATURES), "text": (WORDS, FEATURES)}
CONVERSATION = "conversation"


def steps_of(modality: str) -> str:
    """Return the name of the array that says how many steps of a modality are real, 0 where it is missing."""
    return f"{modality}_steps"
