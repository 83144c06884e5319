"""Judge a recognizer that answers while one speaks: errors, waiting time, computing time.

    python benchmarks/streaming.py an4_streaming [--split test] [--data an4]

Every sound of a split comes in pieces of 0.1 s, as from a microphone, on each backend and by ONNX with the runtime,
each in a process of its own. Prints WER and CER; the share of transcripts that are as those of the whole sound at once
(greedy); how long a word is waited for: from its end in the sound, where CTC's path says that it is, to the piece after
which it stands in the text, computing included (s: median, and what 95 % stay under); computing for each chunk (ms, the
same two); and the real-time factor. Writes `benchmarks/results/streaming.json`.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import harness
import numpy as np

PIECE = 0.1  # seconds that come at once


def answers(way: str, folder: str, asked: str, result: str) -> None:
    """Listen in this process, and keep what was heard and when."""
    with np.load(asked) as archive:
        rate = int(archive["rate"])
        sounds = [archive[name] for name in archive.files if name != "rate"]
    warnings.simplefilter("ignore")
    task = (harness.of_onnx if way == "onnx" else harness.of_keras)(folder)
    listen(task, sounds[0], rate)  # compiles, where there is something to
    whole = task.transcribe([(sound, rate) for sound in sounds], beam=1, lm_weight=0.0, timestamps=True)
    found: dict[str, Any] = {"texts": [], "chunks": [], "waits": [], "equal": [], "seconds": 0.0}
    for sound, at_once in zip(sounds, whole):
        told = listen(task, sound, rate)
        found["texts"].append(told["text"])
        found["equal"].append(told["text"] == at_once.text)
        found["chunks"] += told["chunks"]
        found["seconds"] += told["seconds"]
        if told["text"] == at_once.text:
            found["waits"] += [seen - word.end for seen, word in zip(told["seen"], at_once.words)]
    found["factor"] = found["seconds"] / (sum(map(len, sounds)) / rate)
    Path(result).write_text(json.dumps(found), encoding="utf-8")


def listen(task: Any, sound: np.ndarray, rate: int) -> dict[str, Any]:
    """Hear one sound piece by piece.

    Returns:
        the text; the seconds at which each word stood there (of the sound, and of computing since the last piece came);
        seconds of computing of all pieces, and of those with a chunk in them.
    """
    stream, size = task.stream(rate), int(PIECE * rate)
    texts, moments, taken = [], [], []
    for first in range(0, len(sound) + size, size):  # the last turn is the end
        piece, start = sound[first : first + size], time.perf_counter()
        texts.append(stream.feed(piece) if len(piece) else stream.finish().text)
        taken.append(time.perf_counter() - start)
        moments.append(min(first + size, len(sound)) / rate + taken[-1])
    words = texts[-1].split()
    seen = [
        next(at for text, at in zip(texts, moments) if text.split()[: number + 1] == words[: number + 1])
        for number in range(len(words))
    ]
    chunk_seconds = stream.frames * task.preprocessor.log_mel.step_seconds
    chunks = sorted(taken)[-max(1, round(len(sound) / rate / chunk_seconds)) :]
    return {"text": texts[-1], "seen": seen, "chunks": chunks, "seconds": sum(taken)}


def judge(name: str, split: str, set_name: str) -> list[dict]:
    """Hear a split in all ways; return a row for each."""
    from attention_zoo import data
    from attention_zoo.audio import SpeechPreprocessor, read_sound, spoken
    from attention_zoo.presets import shelf
    from attention_zoo.presets.card import Card
    from attention_zoo.text.wer import measures

    folder = Path(name) if Path(name).is_dir() else shelf.find(name)
    card, preprocessor = Card.from_folder(folder), SpeechPreprocessor.load(folder / "preprocessor")
    rows_of = data.load(set_name)[split]
    references = [spoken(text) for text in rows_of["text"]]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        sounds = [read_sound(sound, preprocessor.rate) for sound in rows_of["sound"]]
        np.savez(work / "sounds.npz", *sounds, rate=preprocessor.rate)
        bundle = harness.exported(folder, work)
        for way in (*harness.BACKENDS, "onnx"):
            place, result = bundle if way == "onnx" else folder, work / f"{way}.json"
            harness.in_way(__file__, way, place, work / "sounds.npz", result)
            told = json.loads(result.read_text(encoding="utf-8"))
            judged = measures(told["texts"], references)
            row = {"preset": card.name, "split": split, "by": way, "wer": judged["wer"], "cer": judged["cer"]}
            row["as the whole"] = float(np.mean(told["equal"]))
            for key, values, scale in (("wait, s", told["waits"], 1.0), ("chunk, ms", told["chunks"], 1000.0)):
                row[key] = scale * float(np.median(values))
                row[f"{key}, 95 %"] = scale * float(np.quantile(values, 0.95))
            rows.append({**row, "real-time factor": told["factor"]})
    return rows


def main() -> None:
    """Judge, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*")
    parser.add_argument("--split", default="test")
    parser.add_argument("--data", default="an4")
    parser.add_argument("--answers", nargs=4, metavar=("WAY", "FOLDER", "ASKED", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answers:
        answers(*options.answers)
        return
    rows = [row for name in options.presets for row in judge(name, options.split, options.data)]
    print(harness.table(rows))
    harness.keep("streaming", rows, ("preset", "split"))


if __name__ == "__main__":
    main()
