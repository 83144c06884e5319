"""Time translation: tokens a second, greedy and with five beams, one sentence at a time and 32 at once.

    KERAS_BACKEND=jax python benchmarks/decode.py              # our search, compiled by the backend
    KERAS_BACKEND=tensorflow python benchmarks/decode.py --onnx # the exported graphs, looped over by NumPy
    python benchmarks/decode.py --peer                         # MarianMT of transformers, on torch
    KERAS_BACKEND=torch python benchmarks/decode.py --training # a step of training, against the same in plain torch

All networks have 4 + 4 layers of width 128, four heads, 256 channels of feed-forward, one table of 10,000 pieces and
new weights; 20 pieces are read and 40 written, no more and no fewer: the end can not be chosen. Writes
benchmarks/results/decode.json; ratios are to MarianMT as it was measured last. Run it on an idle machine.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import harness
import numpy as np

VOCABULARY, SOURCE, WRITTEN, WIDTH, LAYERS = 10_000, 20, 40, 128, 4
SIZES = {"width": WIDTH, "depth": LAYERS, "heads": 4, "feed_forward": 256, "dropout": 0.0}
CASES = [(1, 1), (1, 5), (32, 1), (32, 5)]  # sentences at once, beams
BATCH, TARGET = 128, 20  # of a training step
PEER = "marian"


def sources(batch: int) -> np.ndarray:
    """Return ids of sentences, the last of each its end."""
    ids = np.random.default_rng(batch).integers(4, VOCABULARY, (batch, SOURCE), "int32")
    ids[:, -1] = 3
    return ids


def words(count: int) -> list[str]:
    """Return made-up words, so many that their pieces fill the vocabulary."""
    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(generator.choice(letters, generator.integers(3, 9))) for _ in range(count)]


def ours():
    """Make an untrained translator of which the end is never the likeliest piece."""
    from attention_zoo.models.translator import Translator

    made = words(20_000)
    texts = [" ".join(made[start : start + 10]) for start in range(0, len(made), 10)] * 2
    task = Translator.new(texts, texts, vocabulary_size=VOCABULARY, max_length=WRITTEN, **SIZES)
    if task.config.vocabulary_size != VOCABULARY:
        raise SystemExit(f"the vocabulary has {task.config.vocabulary_size} pieces in place of {VOCABULARY}")
    table = next(weight for weight in task.model.weights if weight.path.endswith("embeddings"))
    value = np.array(table)
    value[3] = 0.0  # its logit is 0 for ever: others are above
    table.assign(value)
    return task


def seconds(run: Callable[[], object]) -> float:
    """Return the median seconds of a call."""
    return harness.compare({"run": run}, seconds=5.0, least=5)["run"]


def of_backend() -> list[dict]:
    """Time our search on this backend."""
    from attention_zoo.search import Decoding

    task, rows = ours(), []
    for batch, beam in CASES:
        generator = task._generator(Decoding(beam=beam, max_length=WRITTEN))
        inputs = {"source_ids": sources(batch)}
        check(generator.predict_on_batch(inputs)["lengths"])
        rows.append(row(batch, beam, seconds(lambda g=generator, i=inputs: g.predict_on_batch(i))))
    return rows


def of_onnx() -> list[dict]:
    """Time the exported graphs."""
    from attention_zoo import runtime
    from attention_zoo.search import Decoding

    rows = []
    with tempfile.TemporaryDirectory() as work:
        ours().export(Path(work) / "out", format="onnx")
        runner = runtime.load(Path(work) / "out")
        for batch, beam in CASES:
            settings, ids = Decoding(beam=beam, max_length=WRITTEN), sources(batch)
            check(runner.generate(ids, settings)["lengths"])
            rows.append(row(batch, beam, seconds(lambda i=ids, s=settings: runner.generate(i, s))))
    return rows


def of_peer() -> list[dict]:
    """Time MarianMT."""
    import torch
    import transformers

    model = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=VOCABULARY,
            d_model=WIDTH,
            encoder_layers=LAYERS,
            decoder_layers=LAYERS,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=256,
            decoder_ffn_dim=256,
            max_position_embeddings=128,
            pad_token_id=0,
            eos_token_id=3,
            decoder_start_token_id=2,
            forced_eos_token_id=None,
        )
    ).eval()
    rows = []
    for batch, beam in CASES:
        ids = torch.from_numpy(sources(batch)).long()
        options = {"num_beams": beam, "do_sample": False, "min_new_tokens": WRITTEN, "max_new_tokens": WRITTEN}

        def run(ids=ids, options=options):
            with torch.inference_mode():
                return model.generate(ids, attention_mask=torch.ones_like(ids), **options)

        if run().shape[1] != WRITTEN + 1:
            raise SystemExit(f"{run().shape[1] - 1} pieces were written in place of {WRITTEN}")
        rows.append(row(batch, beam, seconds(run)))
    return rows


def check(lengths: np.ndarray) -> None:
    """Check that every sentence has the length that is counted."""
    if not (np.asarray(lengths) == WRITTEN).all():
        raise SystemExit(f"{np.asarray(lengths).min()} pieces were written in place of {WRITTEN}")


def row(batch: int, beam: int, taken: float) -> dict:
    """Return one line of the results."""
    return {"sentences": batch, "beams": beam, "tokens a second": batch * WRITTEN / taken}


def with_ratios(rows: list[dict]) -> list[dict]:
    """Add how much faster than the peer each line is."""
    path = harness.RESULTS / "decode.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    peers = {(one["sentences"], one["beams"]): one["tokens a second"] for one in known.get(PEER, {}).get("rows", ())}
    for one in rows:
        peer = peers.get((one["sentences"], one["beams"]))
        one["ratio"] = one["tokens a second"] / peer if peer else None
    return rows


def plain_torch() -> Callable[[], object]:
    """Return a training step of the same network, written with torch.nn.Transformer."""
    import torch

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(VOCABULARY, WIDTH)
            self.body = torch.nn.Transformer(
                WIDTH, 4, LAYERS, LAYERS, 256, 0.1, batch_first=True, norm_first=True, activation="relu"
            )

        def forward(self, source, target):
            causal = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            hidden = self.body(self.table(source), self.table(target), tgt_mask=causal, tgt_is_causal=True)
            return hidden @ self.table.weight.T

    model = Plain()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    source, target, wanted = (torch.randint(4, VOCABULARY, (BATCH, TARGET)) for _ in range(3))

    def step():
        model.train()
        optimizer.zero_grad()
        logits = model(source, target)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def of_training() -> list[dict]:
    """Time a step of training, beside the same in plain torch where that is installed."""
    import importlib.util

    import keras

    from attention_zoo.models.translator import TranslatorConfig
    from attention_zoo.models.translator.network import build_network
    from attention_zoo.training import SequenceCrossEntropy, adamw

    sizes = {**SIZES, "dropout": 0.1, "vocabulary_size": VOCABULARY, "source_size": VOCABULARY}
    model = build_network(TranslatorConfig(**sizes))
    model.compile(adamw(model, 1e-3), SequenceCrossEntropy(smoothing=0.1))
    generator = np.random.default_rng(0)
    names = ("source_ids", "target_ids")
    inputs = {name: generator.integers(4, VOCABULARY, (BATCH, TARGET), "int32") for name in names}
    wanted = generator.integers(4, VOCABULARY, (BATCH, TARGET), "int32")
    peers = {"ours": lambda: model.train_on_batch(inputs, wanted)}
    if importlib.util.find_spec("torch") is not None:
        peers["torch"] = plain_torch()
    taken = harness.compare(peers, seconds=30.0)
    ratio = taken["torch"] / taken["ours"] if "torch" in taken else None
    milliseconds = {f"{name} ms": 1000 * value for name, value in taken.items()}
    return [{"step": f"{keras.backend.backend()}, {BATCH} x {TARGET} pieces", **milliseconds, "ratio": ratio}]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("onnx", "peer", "training"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    if options.peer:
        name, rows = PEER, of_peer()
    elif options.onnx:
        name, rows = "onnx", with_ratios(of_onnx())
    else:
        import keras

        backend = keras.backend.backend()
        name = f"training {backend}" if options.training else backend
        rows = of_training() if options.training else with_ratios(of_backend())
    print(harness.table(rows))
    harness.record("decode", name, rows)


if __name__ == "__main__":
    main()
