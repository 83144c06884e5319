"""Judge a translator on a whole split: each backend, ONNX and SavedModel, greedy and by beams.

    python benchmarks/translations.py multi30k_en_de [--split test] [--beam 5] [--data multi30k] [--write]

Every sentence is translated on each backend, in a process of its own, by the exported graphs with the runtime's loop,
and by the SavedModel, whose search is in its graph. Prints BLEU in both ways of counting, chrF, sentences a second, the
share of sentences that each writes as the first backend does, and how far scores of equal ones differ; then, on each
backend, for the first sentences: the share that one alone is translated as in a batch of 32, and the share whose greedy
translation is, piece by piece, the likeliest of one run of the whole network, which has no cache. Writes
`benchmarks/results/translations.json`, and with `--write` the largest difference of scores into the card.
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

BATCH, FIRST = 32, 200


def answers(way: str, folder: str, asked: str, result: str) -> None:
    """Translate in this process, and keep what was written and the time it took."""
    told = json.loads(Path(asked).read_text(encoding="utf-8"))
    sources, beams = told["sources"], told["beams"]
    warnings.simplefilter("ignore")
    task = {"onnx": harness.of_onnx, "savedmodel": SavedModel}.get(way, harness.of_keras)(folder)
    found: dict[str, Any] = {}
    for name, beam in beams.items():
        task.translate(sources[: 2 * BATCH], beam=beam, batch_size=BATCH)  # compiles, where there is something to
        start = time.perf_counter()
        said = task.translate(sources, beam=beam, batch_size=BATCH)
        seconds = time.perf_counter() - start
        texts = [one.text for one in said]
        found[name] = {"texts": texts, "scores": [one.score for one in said], "seconds": seconds}
        if way in harness.BACKENDS:
            alone = task.translate(sources[:FIRST], beam=beam, batch_size=1)
            found[name]["alone"] = same([one.text for one in alone], texts[:FIRST])
    if way in harness.BACKENDS:
        found["greedy"]["uncached"] = uncached(task, sources[:FIRST])
    Path(result).write_text(json.dumps(found), encoding="utf-8")


def same(found: list, wanted: list) -> float:
    """Return the share of equals."""
    return float(np.mean([one == other for one, other in zip(found, wanted, strict=True)]))


def apart(told: dict, other: dict) -> float:
    """Return the largest difference of the scores of equal sentences, as probabilities."""
    both = zip(told["texts"], told["scores"], other["texts"], other["scores"], strict=True)
    return max((abs(np.exp(score) - np.exp(wanted)) for text, score, same, wanted in both if text == same), default=0.0)


def uncached(task: Any, sources: list[str]) -> float:
    """Return how often the greedy search wrote what one run of the whole network finds the likeliest everywhere."""
    from attention_zoo.blocks.decode import decode
    from attention_zoo.search import Decoding

    settings = Decoding(beam=1, max_length=task.config.max_length)
    rows = task._source_rows(sources)
    told, equal = decode(task._generator(settings), rows), []
    for row, found, length in zip(rows, told["token_ids"][:, 0], told["lengths"][:, 0]):
        ids = found[:length].tolist()
        inputs = {"source_ids": padded(row), "target_ids": padded([settings.bos_id, *ids])}
        logits = np.array(task.model.predict_on_batch(inputs))[0]
        logits[:, list(settings.banned)] = -np.inf
        wanted = [*ids, settings.eos_id][: task.config.max_length]
        equal.append(logits.argmax(-1)[: len(wanted)].tolist() == wanted)
    return float(np.mean(equal))


def padded(ids: Any) -> np.ndarray:
    """Return a row of ids as a batch of one whose width is a multiple of 8: few shapes are compiled."""
    batch = np.zeros((1, -(-len(ids) // 8) * 8), "int32")
    batch[0, : len(ids)] = ids
    return batch


class SavedModel:
    """Translate by the signatures of a SavedModel, with a preprocessor around them."""

    def __init__(self, folder: str):
        import tensorflow as tf

        from attention_zoo.runtime import preprocessor_class

        self.constant, self.model = tf.constant, tf.saved_model.load(str(Path(folder) / "savedmodel"))
        self.preprocessor = preprocessor_class("translator").load(Path(folder) / "preprocessor")

    def translate(self, texts: list[str], beam: int, batch_size: int) -> list[Any]:
        """Translate texts; those of like size are run together."""
        from attention_zoo.runtime import Translation

        run = self.model.signatures["greedy" if beam == 1 else "translate"]
        found: list[Any] = [None] * len(texts)
        order = sorted(range(len(texts)), key=lambda number: self.preprocessor.size(texts[number]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            ids = self.preprocessor([texts[number] for number in chosen])["source_ids"]
            told = run(source_ids=self.constant(ids))
            for row, number in enumerate(chosen):
                text = self.preprocessor.decode(told["token_ids"].numpy()[row, 0].tolist())
                found[number] = Translation(text, float(told["scores"].numpy()[row, 0]), ())
        return found


def judge(name: str, split: str, beam: int, set_name: str, write: bool) -> list[dict]:
    """Translate a split in all ways; return a row for each."""
    from attention_zoo import data
    from attention_zoo.presets import shelf
    from attention_zoo.presets.card import Card
    from attention_zoo.text.bleu import measures

    folder = Path(name) if Path(name).is_dir() else shelf.find(name)
    card = Card.from_folder(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["network"]
    rows_of = data.load(set_name)[split]
    sources, references = list(rows_of[config["source"]]), list(rows_of[config["target"]])
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        beams = {"greedy": 1, f"beam {beam}": beam}
        (work / "asked.json").write_text(json.dumps({"sources": sources, "beams": beams}), encoding="utf-8")
        bundle, found = harness.exported(folder, work), {}
        for way in (*harness.BACKENDS, *harness.EXPORTS):
            place, result = folder if way in harness.BACKENDS else bundle, work / f"{way}.json"
            harness.in_way(__file__, way, place, work / "asked.json", result)
            found[way] = json.loads(result.read_text(encoding="utf-8"))
    rows, first = [], found[harness.BACKENDS[0]]
    for search in beams:
        for way, told in found.items():
            texts = told[search]["texts"]
            judged = measures(texts, references, config["target"])
            row = {"preset": card.name, "split": split, "search": search, "by": way}
            row |= {key: judged[key] for key in ("bleu", "bleu_tokenised", "chrf")}
            row["equal"] = same(texts, first[search]["texts"])
            row["difference"] = apart(told[search], first[search])
            row["sentences a second"] = len(texts) / told[search]["seconds"]
            row |= {key: told[search][key] for key in ("alone", "uncached") if key in told[search]}
            rows.append(row)
    if write:
        dataclasses.replace(card, backend_difference=max(row["difference"] for row in rows)).write(folder)
    print(json.dumps({key: value for key, value in judged.items() if key.endswith("signature")}, indent=1))
    return rows


def main() -> None:
    """Judge, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*")
    parser.add_argument("--split", default="test")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--data", default="multi30k")
    parser.add_argument("--write", action="store_true", help="put the largest difference into the preset's card")
    parser.add_argument("--answers", nargs=4, metavar=("WAY", "FOLDER", "ASKED", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answers:
        answers(*options.answers)
        return
    rows = []
    for name in options.presets:
        rows += judge(name, options.split, options.beam, options.data, options.write)
    print(harness.table(rows))
    harness.keep("translations", rows, ("preset", "split"))


if __name__ == "__main__":
    main()
