"""The CTC loss of the zoo and of Keras, against torch's own and an oracle: differences, and time of loss + gradient.

    for backend in tensorflow jax torch; do KERAS_BACKEND=$backend python benchmarks/ctc.py; done
    python benchmarks/ctc.py --only differences        # or --only times

The oracle is the recursion of the paper, forward and backward, in float64 and logarithms. Differences are the largest
over the rows of a case: of a loss, relative to the oracle's (to 1 where that is smaller), and of an entry of its
gradient by the logits. "none" marks what is infinite or no number; the oracle has no answer where a target has no path,
and the zoo counts such a row 0. Times are of 32 rows of 200 steps, 60 units and a vocabulary of 64, compiled where the
backend compiles. Writes benchmarks/results/ctc.json; needs torch beside the backend.
"""

import argparse
import itertools
from collections.abc import Callable

import harness
import keras
import numpy as np
from keras import ops

from attention_zoo.training.ctc import CtcLoss

BATCH, STEPS, TARGET, VOCABULARY = 32, 200, 60, 64
CERTAIN = -1e4  # logit of units where blank is certain


def problem(rows: list[list[int]], vocabulary: int, steps: int, scale: float = 2.0, padding: int = 0) -> tuple:
    """Return truth and logits; `padding` more steps are certain blanks."""
    random = np.random.default_rng(steps)
    longest = max(1, *map(len, rows))
    truth = np.array([row + [0] * (longest - len(row)) for row in rows], "int32")
    logits = random.normal(size=(len(rows), steps, vocabulary)) * scale
    padded = np.full((len(rows), padding, vocabulary), CERTAIN)
    padded[..., 0] = 0.0
    return truth, np.concatenate([logits, padded], axis=1).astype("float32")


def cases() -> dict[str, tuple]:
    """Return what may go wrong, by name."""
    random = np.random.default_rng(0)
    many = [random.integers(1, 30, random.integers(5, 40)).tolist() for _ in range(16)]
    return {
        "random": problem(many, 30, 150),
        "repeats": problem([[5, 5, 5, 2, 2], [1, 1, 1, 1, 1], [3, 4, 3, 4, 4]], 8, 30),
        "empty target": problem([[], [1]], 8, 12),
        "one step": problem([[3], []], 8, 1),
        "no path": problem([[1, 1, 2], [1, 2]], 8, 3),
        "certain blanks": problem(many, 30, 150, padding=50),
        "no path, certain blanks": problem([[1, 1, 2], [1, 2]], 8, 3, padding=20),
        "large logits": problem(many[:4], 30, 150, scale=100.0),
        "untrained": problem([[one % 29 + 1 for one in range(200)]], 30, 1000, scale=0.1),
    }


def oracle(truth: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and gradient of each row in float64, infinity and zeros where a target has no path."""
    logits = logits.astype("float64")
    chances = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    pairs = [_row([int(unit) for unit in row if unit], one) for row, one in zip(truth, chances)]
    return np.array([loss for loss, _ in pairs]), np.stack([slope for _, slope in pairs])


def _row(units: list[int], chances: np.ndarray) -> tuple[float, np.ndarray]:
    labels = [0, *(part for unit in units for part in (unit, 0))]
    forward = _reached(labels, chances)
    total = np.logaddexp.reduce(forward[-1, -2:])
    needed = len(units) + sum(one == other for one, other in itertools.pairwise(units))
    if needed > (chances[:, 1:].max(axis=1) > CERTAIN / 2).sum():
        return np.inf, np.zeros(chances.shape)
    backward = _reached(labels[::-1], chances[::-1])[::-1, ::-1]
    shares = np.exp(forward + backward - chances[:, labels] - total)
    slopes = np.exp(chances)
    for place, label in enumerate(labels):
        slopes[:, label] -= shares[:, place]
    return -total, slopes


def _reached(labels: list[int], chances: np.ndarray) -> np.ndarray:
    """Return log-probabilities of all that leads to each place at each step."""
    reached = np.full((len(chances), len(labels)), -np.inf)
    reached[0, :2] = chances[0, labels[:2]]
    for step in range(1, len(chances)):
        for place, label in enumerate(labels):
            first = place - 2 if place > 1 and label and label != labels[place - 2] else max(place - 1, 0)
            reached[step, place] = np.logaddexp.reduce(reached[step - 1, first : place + 1]) + chances[step, label]
    return reached


def of_torch(truth: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and gradient of each row by torch.nn.CTCLoss, in float32."""
    import torch

    inputs = torch.tensor(logits, requires_grad=True)
    chances = torch.log_softmax(inputs, -1).transpose(0, 1)
    lengths = torch.full((len(logits),), logits.shape[1]), torch.tensor((truth > 0).sum(axis=1))
    losses = torch.nn.CTCLoss(reduction="none")(chances, torch.tensor(truth), *lengths)
    losses.sum().backward()
    return losses.detach().numpy(), inputs.grad.numpy()


def of_keras(truth: object, logits: object) -> object:
    """Return Keras's own loss of each row."""
    steps = ops.zeros_like(truth[:, 0]) + logits.shape[1]
    return ops.ctc_loss(truth, logits, ops.sum(ops.cast(truth > 0, "int32"), axis=1), steps)


def run_of(losses: Callable) -> Callable:
    """Return a function from truth and logits to loss and gradient of each row, compiled where the backend compiles."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        def run(truth: object, logits: object) -> tuple:
            found, back = jax.vjp(lambda logits: losses(truth, logits), logits)
            return found, back(ops.ones_like(found))[0]

        return jax.jit(run)
    if backend == "tensorflow":
        import tensorflow

        def run(truth: object, logits: object) -> tuple:
            with tensorflow.GradientTape() as tape:
                tape.watch(logits)
                found = losses(truth, logits)
            return found, tape.gradient(found, logits)

        return tensorflow.function(run)

    def run(truth: object, logits: object) -> tuple:
        logits = logits.detach().requires_grad_()
        found = losses(truth, logits)
        found.sum().backward()
        return found, logits.grad

    return run


def answer(run: Callable, truth: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run with arrays of NumPy."""
    found = run(ops.convert_to_tensor(truth), ops.convert_to_tensor(logits))
    return tuple(ops.convert_to_numpy(part) for part in found)


def apart(found: tuple, wanted: tuple) -> tuple[object, object]:
    """Return the largest differences of loss and gradient, over the rows that have a path."""
    real = np.isfinite(wanted[0])
    loss = np.abs(found[0][real] - wanted[0][real]) / np.maximum(np.abs(wanted[0][real]), 1.0)
    slope = np.abs(found[1][real] - wanted[1][real])
    return tuple(float(part.max()) if np.isfinite(part).all() else "none" for part in (loss, slope))


def differences() -> list[dict]:
    """Compare with torch and the oracle, case by case."""
    peers = {"zoo": run_of(CtcLoss(reduction=None)), "keras": run_of(of_keras)}
    rows = []
    for name, (truth, logits) in cases().items():
        wanted, torch = oracle(truth, logits), of_torch(truth, logits)
        found = {peer: answer(run, truth, logits) for peer, run in peers.items()} | {"torch": torch}
        for peer, (losses, slopes) in found.items():
            loss, slope = apart((losses, slopes), wanted)
            row = {"case": name, "of": peer, "loss": loss, "gradient": slope}
            hopeless = ~np.isfinite(wanted[0])
            peer = np.where(hopeless, np.inf, torch[0]), torch[1]
            row["loss to torch"], row["gradient to torch"] = apart((losses, slopes), peer)
            row["without a path"] = _said(losses[hopeless], slopes[hopeless])
            rows.append(row)
    return rows


def _said(losses: np.ndarray, slopes: np.ndarray) -> str:
    """Write what a loss says of rows without a path."""
    if not len(losses):
        return ""
    return f"loss {losses[0]:.3g}, gradient up to {np.abs(slopes).max():.3g}"


def times() -> list[dict]:
    """Time loss and gradient of the zoo and of Keras, in turns."""
    random = np.random.default_rng(0)
    truth = ops.convert_to_tensor(random.integers(1, VOCABULARY, (BATCH, TARGET)).astype("int32"))
    logits = ops.convert_to_tensor(random.normal(size=(BATCH, STEPS, VOCABULARY)).astype("float32"))
    peers = {}
    for name, losses in {"zoo": CtcLoss(reduction=None), "keras": of_keras}.items():
        run = run_of(losses)
        peers[name] = lambda run=run: [ops.convert_to_numpy(part) for part in run(truth, logits)]
    found = harness.compare(peers)
    return [
        {"of": name, "milliseconds": 1000 * one, "share of keras": one / found["keras"]} for name, one in found.items()
    ]


def main() -> None:
    """Run what was asked for, print it, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("differences", "times"))
    wanted = parser.parse_args().only
    for name, make in {"differences": differences, "times": times}.items():
        if wanted in (None, name):
            rows = make()
            print(f"{keras.backend.backend()}: {name}\n{harness.table(rows)}\n")
            harness.record("ctc", f"{keras.backend.backend()} {name}", rows)


if __name__ == "__main__":
    main()
