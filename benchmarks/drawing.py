"""How long it takes to draw what attention did over 4,096 tokens.

    python benchmarks/drawing.py

8 heads of random maps, 4,096 x 4,096, of which each row sums to 1. Prints seconds, and writes
`benchmarks/results/drawing.json`.
"""

import json
import tempfile
import time
from pathlib import Path

import harness
import numpy as np

TOKENS, HEADS = 4096, 8


def main() -> None:
    """Draw maps and an explained text, each in every form."""
    from attention_zoo.answers import Answer
    from attention_zoo.text.rows import Token
    from attention_zoo.visualise import Explanation, map_grid

    random = np.random.default_rng(0)
    maps = random.random((HEADS, TOKENS, TOKENS), np.float32) ** 8
    maps /= maps.sum(axis=-1, keepdims=True)
    words = [f"word{number}" for number in range(TOKENS)]
    text = " ".join(words)
    places = np.cumsum([0, *(len(word) + 1 for word in words[:-1])])
    tokens = [Token(word, int(at), int(at) + len(word), n) for n, (word, at) in enumerate(zip(words, places))]
    effects = {"some label": random.normal(size=TOKENS)}
    made = Explanation(text, tokens, Answer("some label", 0.9), {"encoder_1/attention": maps}, maps[0, 0], effects)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("map.png", "text.png", "text.svg", "text.html"):
            path = Path(folder) / name
            began = time.perf_counter()
            if name == "map.png":
                map_grid([], maps, path)
            else:
                made.save(path)
            row = {"what": name, "seconds": time.perf_counter() - began, "bytes": path.stat().st_size}
            rows.append(row)
            print(row, flush=True)
    found = {"tokens": TOKENS, "heads": HEADS, "machine": harness.machine(), "rows": rows}
    (harness.RESULTS / "drawing.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
