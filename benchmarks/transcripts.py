"""Judge a speech recognizer on a whole split: each backend, ONNX and SavedModel, with their speed.

    python benchmarks/transcripts.py an4_conformer [--split test] [--data an4] [--write]
    python benchmarks/transcripts.py an4_conformer --memory            # peak memory on ten minutes, speed of features

Every sound is transcribed on each backend, in a process of its own, by the exported graphs with the runtime's loop, and
greedily by the SavedModel. Prints WER and CER for each search (greedy CTC, CTC beam, joint beam, each with and without
the language model), the share of transcripts that are as on the first backend, and the real-time factor: seconds of
computing for a second of sound, features among them; and the largest difference of a transcript's score, as a
probability. Writes `benchmarks/results/transcripts.json`, or `memory.json`, and with `--write` that into the card.
"""

import argparse
import dataclasses
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import harness
import numpy as np

from attention_zoo.presets import shelf

MINUTES = 10  # of the long sound


def searches(card_settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the searches that are compared, by name."""
    plain = {"lm_weight": 0.0, "length_bonus": 0.0}
    found = {"greedy": {"beam": 1, "ctc_weight": 1.0, **plain}, "CTC beam": {"ctc_weight": 1.0, **plain}}
    if card_settings["language"]:
        found["CTC beam, language model"] = {"ctc_weight": 1.0}
    if card_settings["decodes"]:
        found["joint beam"] = plain
        if card_settings["language"]:
            found["joint beam, language model"] = {}
    return found


def answers(way: str, folder: str, asked: str, result: str) -> None:
    """Transcribe in this process, and keep what was written and the time it took."""
    told = json.loads(Path(asked).read_text(encoding="utf-8"))
    with np.load(told["sounds"]) as archive:
        sounds = [(archive[name], told["rate"]) for name in archive.files]
    seconds_of_sound = sum(len(array) for array, _ in sounds) / told["rate"]
    warnings.simplefilter("ignore")
    task = {"onnx": harness.of_onnx, "savedmodel": SavedModel}.get(way, harness.of_keras)(folder)
    found: dict[str, Any] = {}
    for name, search in told["searches"].items():
        if way == "savedmodel" and name != "greedy":
            continue
        task.transcribe(sounds, **search)  # compiles, where there is something to
        start = time.perf_counter()
        said = task.transcribe(sounds, **search)
        found[name] = {
            "texts": [one.text for one in said],
            "chances": np.exp([one.score for one in said]).tolist(),
            "factor": (time.perf_counter() - start) / seconds_of_sound,
        }
    Path(result).write_text(json.dumps(found), encoding="utf-8")


class SavedModel:
    """Transcribe greedily by what a SavedModel says of CTC, with a preprocessor around it."""

    def __init__(self, folder: str):
        import tensorflow as tf

        from attention_zoo.runtime import preprocessor_class

        self.constant, self.model = tf.constant, tf.saved_model.load(str(Path(folder) / "savedmodel"))
        self.preprocessor = preprocessor_class("speech_recognizer").load(Path(folder) / "preprocessor")

    def transcribe(self, sounds: list, **search: Any) -> list[Any]:
        """Transcribe sounds one by one."""
        from attention_zoo.runtime import Transcript
        from attention_zoo.search.ctc import greedy

        signatures, found = self.model.signatures, []
        run = signatures["ctc" if "ctc" in signatures else "encoder"]
        for sound in sounds:
            arrays = self.preprocessor([sound])
            logits = run(**{name: self.constant(array) for name, array in arrays.items()})["ctc"].numpy()
            path = greedy(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))[0]
            found.append(Transcript(self.preprocessor.decode(list(path.token_ids)), path.score))
        return found


def apart(told: dict[str, Any], first: dict[str, Any]) -> float:
    """Return the largest difference of what the same transcripts are given as their probability."""
    pairs = zip(told["texts"], first["texts"], told["chances"], first["chances"])
    return max((abs(one - other) for text, same, one, other in pairs if text == same), default=0.0)


def judge(name: str, split: str, set_name: str, write: bool, timed: bool) -> list[dict]:
    """Transcribe a split in all ways; return a row for each."""
    from attention_zoo import data
    from attention_zoo.audio import SpeechPreprocessor, read_sound, spoken
    from attention_zoo.presets.card import Card
    from attention_zoo.text.wer import measures

    folder = Path(name) if Path(name).is_dir() else shelf.find(name)
    card, preprocessor = Card.from_folder(folder), SpeechPreprocessor.load(folder / "preprocessor")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["network"]
    rows_of = data.load(set_name)[split]
    references = [spoken(text) for text in rows_of["text"]]
    asked = searches({"language": preprocessor.language is not None, "decodes": config["decoder_depth"] > 0})
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        sounds = [read_sound(sound, preprocessor.rate) for sound in rows_of["sound"]]
        np.savez(work / "sounds.npz", *sounds)
        told = {"sounds": str(work / "sounds.npz"), "rate": preprocessor.rate, "searches": asked}
        (work / "asked.json").write_text(json.dumps(told), encoding="utf-8")
        bundle, found = harness.exported(folder, work), {}
        for way in (*harness.BACKENDS, *harness.EXPORTS):
            place, result = folder if way in harness.BACKENDS else bundle, work / f"{way}.json"
            harness.in_way(__file__, way, place, work / "asked.json", result)
            found[way] = json.loads(result.read_text(encoding="utf-8"))
    rows, first = [], found[harness.BACKENDS[0]]
    for search in asked:
        for way, told in found.items():
            if search not in told:
                continue
            texts = told[search]["texts"]
            judged = measures(texts, references)
            row = {"preset": card.name, "split": split, "search": search, "by": way}
            row |= {key: judged[key] for key in ("wer", "cer", "sentence_errors")}
            row["equal"] = float(np.mean([one == other for one, other in zip(texts, first[search]["texts"])]))
            if "language model" not in search:  # whose scores are no log-probabilities
                row["difference"] = apart(told[search], first[search])
            rows.append({**row, "real-time factor": told[search]["factor"] if timed else None})
    if write:
        dataclasses.replace(card, backend_difference=max(row.get("difference", 0.0) for row in rows)).write(folder)
    return rows


def remember(name: str) -> list[dict]:
    """Return for each way the peak memory of a process that transcribes a second, and of one that transcribes more."""
    folder = Path(name) if Path(name).is_dir() else shelf.find(name)
    with tempfile.TemporaryDirectory() as temporary:
        bundle, rows = harness.exported(folder, Path(temporary)), []
        for way in (*harness.BACKENDS, "onnx"):
            row: dict[str, Any] = {"preset": folder.name, "by": way}
            for title, seconds in {"a second": 1, "ten minutes": 60 * MINUTES}.items():
                result = Path(temporary) / "result.json"
                harness.in_way(__file__, way, bundle if way == "onnx" else folder, seconds, result)
                row[f"{title}, MiB"] = json.loads(result.read_text(encoding="utf-8"))
            rows.append({**row, "features, times real time": featured(folder)})
    return rows


def featured(folder: Path) -> float:
    """Return how many seconds of sound become features in a second, ten seconds of noise at once."""
    from attention_zoo.audio import SpeechPreprocessor

    preprocessor = SpeechPreprocessor.load(folder / "preprocessor")
    noise = 0.1 * np.random.default_rng(0).normal(size=10 * preprocessor.rate)
    sound = (noise.astype("float32"), preprocessor.rate)
    return 10 / harness.compare({"features": lambda: preprocessor.rows([sound])})["features"]


def peak(way: str, folder: str, seconds: str, result: str) -> None:
    """Transcribe noise in this process, and keep the peak of its memory, in MiB."""
    task = (harness.of_onnx if way == "onnx" else harness.of_keras)(folder)
    rate = task.preprocessor.rate
    noise = 0.1 * np.random.default_rng(0).normal(size=int(seconds) * rate)
    task.transcribe((noise.astype("float32"), rate), beam=1, ctc_weight=1.0, lm_weight=0.0)
    Path(result).write_text(json.dumps(harness.memory("VmHWM") / 1024), encoding="utf-8")


def main() -> None:
    """Judge, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*")
    parser.add_argument("--split", default="test")
    parser.add_argument("--data", default="an4")
    parser.add_argument("--memory", action="store_true", help="measure peak memory in place of all else")
    parser.add_argument("--busy", action="store_true", help="keep no times: the machine does other things too")
    parser.add_argument("--write", action="store_true", help="put the largest difference into the preset's card")
    parser.add_argument("--answers", nargs=4, metavar=("WAY", "FOLDER", "ASKED", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answers:
        (peak if options.answers[2].isdigit() else answers)(*options.answers)
        return
    if options.memory:
        rows = [row for name in options.presets for row in remember(name)]
        print(harness.table(rows))
        harness.keep("memory", rows, ("preset",))
        return
    rows = [
        row
        for name in options.presets
        for row in judge(name, options.split, options.data, options.write, not options.busy)
    ]
    print(harness.table(rows))
    harness.keep("transcripts", rows, ("preset", "split"))


if __name__ == "__main__":
    main()
