"""Every choice of an emotion recognizer, each with its unit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.models.classifier.config import ClassifierConfig
from attention_zoo.models.config import as_tuple
from attention_zoo.multimodal.settings import FIELDS, Settings

FUSIONS = ("concat", "gated", "mult", "bottleneck", "tensor", "low_rank", "co_attention", "film")
CONTEXTS = ("none", "attention")
SHARINGS = ("shared", "specific", "fused")
BLOCKS = ("transformer", "conformer")
RECURRENT = ("none", "gru", "lstm")
UNCERTAINTY = "uncertainty"  # task weights that are learned
LABEL = "label"  # what labels of the main task are called beside those of other tasks
OUTPUT = "logits"  # the output of the main task beside those of others
# Names that the network gives away itself.
RESERVED = (LABEL, OUTPUT, "output", "shared", "main", "conversation")


@dataclass(frozen=True)
class EmotionRecognizerConfig(ClassifierConfig):
    """What an emotion recognizer is made of.

    Each modality -> encoder -> steps of `width` channels -> attention pooling -> a vector; the fusion joins steps or
    vectors -> (other rows of the conversation) -> logits of the emotion, and of other tasks. A modality may be missing
    in any row.

    Raises:
        ZooValueError: if a value is out of range or a name is unknown.
        ZooTypeError: if a value is of the wrong kind.
    """

    family = "emotion_recognizer"
    answers = (*ClassifierConfig.answers, "tasks")

    modalities: tuple[str, ...] = ()  # what a row may hold, of image, audio, text; empty until data is seen
    image: str = "frames"  # "frames" (pictures) or "features" (vectors)
    audio: str = "sound"  # "sound" (recordings) or "features" (vectors)
    text: str = "words"  # "words" (strings) or "features" (vectors)
    image_features: int = 0  # numbers of a vector; 0 where pictures are read, or until data is seen
    audio_features: int = 0  # likewise
    text_features: int = 0  # likewise
    height: int = 48  # of a picture (pixels)
    width_pixels: int = 48  # of a picture (pixels)
    channels: int = 1  # of a pixel: 1 for grey, 3 for colour
    max_frames: int = 8  # pictures of a row at most, evenly spaced
    mels: int = 64  # bands of a frame of sound
    max_seconds: float = 6.0  # of a sound that are heard (seconds)
    vocabulary_size: int = 8000  # entries at most; once words are learned, entries
    max_tokens: int = 64  # tokens of a text that are read

    width: int = 64  # channels of the steps of each modality
    heads: int = 4  # of all attentions
    feed_forward: int | None = None  # channels within feed-forward parts; None is 2 x `width`
    attention: Any = "rotary"  # of the encoder blocks: a name of `layers.names("self")`, or a dict with "name"
    image_depth: int = 1  # blocks over the pictures or vectors of a row
    audio_depth: int = 2  # blocks over the steps of a sound or its vectors
    text_depth: int = 1  # blocks over the tokens of a text or its vectors
    picture_widths: tuple[int, ...] = (16, 32, 64)  # channels of each stage of convolutions over a picture
    picture_gate: Any = "squeeze_excite"  # in their blocks: a name of `layers.names("image")`, a dict, or "none"
    sound_block: str = "conformer"  # kind of the blocks over a sound: "conformer" or "transformer"
    sound_filters: int = 16  # channels of the two convolutions that make one step of four frames
    convolution: int = 15  # steps that the convolutions of conformer blocks span, odd
    text_recurrent: str = "none"  # before the blocks over words: "gru", "lstm" or "none"
    pooling: Any = "attention_pooling"  # of each modality: a name of `layers.names("pool")`, or a dict with "name"
    fusion: Any = "gated"  # a name of FUSIONS, or a dict with "name" and arguments of its layer
    context: str = "none"  # what rows of a conversation know of each other: "none" or "attention"
    context_depth: int = 1  # blocks of attention among them
    causal: bool = False  # whether a row sees only what was before it in the conversation
    tasks: Any = ()  # other tasks beside the labels: {name: its labels}; names alone take the labels of the first data
    sharing: str = "shared"  # of pooling and fusion by the tasks: "shared", "specific" (own ones), "fused" (both)
    task_weights: Any = UNCERTAINTY  # of the losses: "uncertainty" (learned), or a number for the labels and each task
    hidden: int = 64  # channels of a dense layer before the logits; 0 for none

    modality_dropout: float = 0.2  # how often a modality of a row is left out while training, never all of them
    token_dropout: float = 0.1  # share of tokens masked while training
    dropout: float = 0.1  # share dropped while training within and after encoder blocks
    attention_dropout: float = 0.0  # share of the attention weights of encoder blocks dropped while training
    head_dropout: float = 0.3  # share of the fused vector dropped while training

    def __post_init__(self) -> None:
        settings = self.settings()
        object.__setattr__(self, "modalities", settings.modalities if self.modalities else ())
        object.__setattr__(self, "picture_widths", as_tuple("picture_widths", self.picture_widths))
        whole_number("width", self.width, 1, "channels")
        self.fill({"feed_forward": 2 * self.width})
        self._check_numbers()
        self._check_choices()
        self._check_tasks()
        self.check_answers()

    def settings(self) -> Settings:
        """Return what the preprocessor has to know."""
        values = {name: getattr(self, name) for name in FIELDS}
        if not self.modalities:
            values.pop("modalities")
        return Settings(**values, conversations=self.context != "none")

    def kind(self, modality: str) -> str:
        """Return the form in which a modality comes."""
        return getattr(self, modality)

    def depth(self, modality: str) -> int:
        """Return how many blocks read the steps of a modality."""
        return getattr(self, f"{modality}_depth")

    @property
    def attention_name(self) -> str:
        """Return the name of the fusion, which is the attention that decides most; of one modality, of its pooling."""
        chosen = self.pooling if len(self.modalities) == 1 else self.fusion
        return name_of(chosen)

    @property
    def task_labels(self) -> dict[str, tuple[str, ...]]:
        """The labels of the other tasks, by task."""
        return dict(self.tasks)

    def _check_numbers(self) -> None:
        counts = {"heads": (1, "heads"), "feed_forward": (1, "channels"), "image_depth": (0, "blocks")}
        counts |= {"audio_depth": (0, "blocks"), "text_depth": (0, "blocks"), "sound_filters": (1, "channels")}
        counts |= {"convolution": (1, "steps"), "context_depth": (1, "blocks"), "hidden": (0, "channels")}
        for name, (least, unit) in counts.items():
            whole_number(name, getattr(self, name), least, unit)
        for width in self.picture_widths:
            whole_number("picture_widths", width, 1, "channels each")
        for name in ("modality_dropout", "token_dropout", "dropout", "attention_dropout", "head_dropout"):
            share(name, getattr(self, name))
        if self.width % self.heads:
            raise ZooValueError(f"width must be a multiple of heads, got {self.width} channels for {self.heads} heads")
        if not self.picture_widths:
            raise ZooValueError("picture_widths must have at least one stage, got none")

    def _check_choices(self) -> None:
        choices = {"context": CONTEXTS, "sharing": SHARINGS, "sound_block": BLOCKS, "text_recurrent": RECURRENT}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        for name in ("attention", "pooling", "fusion", "picture_gate"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (isinstance(value, dict) and isinstance(value.get("name"), str)):
                raise ZooTypeError(f"{name} must be a name or a dict with 'name', got {value!r}")
        if name_of(self.fusion) not in FUSIONS:
            raise unknown("fusion", name_of(self.fusion), FUSIONS)

    def _check_tasks(self) -> None:
        object.__setattr__(self, "tasks", _tasks(self.tasks))
        if not self.tasks and self.sharing != "shared":
            raise ZooValueError(f"sharing {self.sharing!r} is for several tasks; tasks must be given, got none")
        if self.task_weights == UNCERTAINTY:
            return
        if isinstance(self.task_weights, str):
            raise unknown("task_weights", self.task_weights, (UNCERTAINTY,))
        weights = as_tuple("task_weights", self.task_weights)
        object.__setattr__(self, "task_weights", weights)
        are_numbers = all(isinstance(weight, int | float) and 0 < weight < float("inf") for weight in weights)
        if len(weights) != 1 + len(self.tasks) or not are_numbers:
            raise ZooValueError(
                f"task_weights must be {1 + len(self.tasks)} numbers above 0, of the labels and then of each task, got "
                f"{weights}"
            )


def name_of(choice: Any) -> str:
    """Return the name of what was chosen by a name, or by a dict with one."""
    return str(choice.get("name", "")) if isinstance(choice, Mapping) else str(choice)


def _tasks(given: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Bring {name: labels}, pairs of these, or names alone to pairs."""
    pairs = given.items() if isinstance(given, Mapping) else as_tuple("tasks", given)
    tasks = [(entry, ()) if isinstance(entry, str) else _pair(entry) for entry in pairs]
    for name, labels in tasks:
        if not name.isidentifier() or name in RESERVED or name.split("_")[0] in ("image", "audio", "text"):
            raise ZooValueError(
                f"tasks must have names of letters, digits and _, other than {', '.join(RESERVED)} and those that "
                f"begin with a modality, got {name!r}"
            )
        ClassifierConfig(labels=labels).check_answers()
    if len({name for name, _ in tasks}) < len(tasks):
        raise ZooValueError(f"tasks must have different names, got {', '.join(name for name, _ in tasks)}")
    return tuple(tasks)


def _pair(entry: Any) -> tuple[str, tuple[str, ...]]:
    if not isinstance(entry, Iterable) or len(found := tuple(entry)) != 2 or not isinstance(found[0], str):
        raise ZooTypeError(f"tasks must be names, or {{name: labels}}, got {entry!r:.60}")
    return found[0], as_tuple(f"labels of task {found[0]!r}", found[1])
