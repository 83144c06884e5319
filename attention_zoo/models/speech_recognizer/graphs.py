"""The graphs that an export of a speech recognizer writes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attention_zoo.export import Graph
from attention_zoo.export.generating import ENCODER, generating_graphs
from attention_zoo.models.speech_recognizer.listening import Listener
from attention_zoo.models.speech_recognizer.network import CTC, DECODER, MASK, MEMORY
from attention_zoo.runtime.transcription import Hearing


def speech_graphs(listener: Listener, probes: Sequence[dict[str, np.ndarray]], usual: Hearing) -> dict[str, Graph]:
    """Return the graphs by name.

    Args:
        listener: of the task.
        probes: two inputs of different sizes.
        usual: settings of a search where nothing is asked for.
    """
    sound = [{name: probe[name] for name in listener.sound} for probe in probes]
    if not listener.decodes:
        graphs = {ENCODER: Graph(listener.ctc, sound, ("onnx", "savedmodel"), watched=True)}
        if listener.streams:
            graphs["stream"] = Graph(listener.stepping, listener.step.probes(), ("onnx", "savedmodel"))
        return graphs
    graphs = generating_graphs(listener.model, sound, decoder=DECODER, memory=MEMORY, mask=MASK, told={"ctc": CTC})
    graphs["ctc"] = Graph(listener.ctc, sound, ("savedmodel",))
    whole: dict[str, Any] = {"transcribe": usual, "greedy": Hearing(beam=1, ctc_weight=0.0)}
    for name, settings in whole.items():
        graphs[name] = Graph(listener.generator(settings.of_decoder()), sound, ("savedmodel",))
    return graphs
