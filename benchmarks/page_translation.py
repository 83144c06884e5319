"""The page docs/translation.md: what was measured about translators. Written by `benchmarks/pages.py`."""

WAYS = {
    "tensorflow": "TensorFlow",
    "jax": "JAX",
    "torch": "PyTorch",
    "onnx": "ONNX, runtime",
    "savedmodel": "SavedModel",
}


def share(value: float | None) -> str:
    """Write a share in percent."""
    return "" if value is None else f"{100 * value:.1f} %"


def quality(found: dict) -> list[str]:
    """Write how well the presets translate, in every way that they can be run."""
    if not found:
        return []
    lines = [
        "## Quality, and the same sentences everywhere",
        "",
        "Test split of each preset's data (`benchmarks/translations.py`). BLEU: sacreBLEU, true case, 13a. Tokenised:",
        "small letters, words by the Moses rules, as papers on Multi30k count. Equal: sentences that are written as on",
        "TensorFlow. Alone: sentences, of the first 200, that are translated alone as in a batch of 32. Uncached:",
        "sentences, of the first 200, whose every piece is the likeliest of one run of the whole network, which has no",
        "cache.",
        "",
        "| model | search | by | BLEU | tokenised | chrF | sentences/s | equal | alone | uncached |",
        "|--|--|--|--|--|--|--|--|--|--|",
    ]
    for row in found["presets"]["rows"]:
        numbers = [f"{row[name]:.2f}" for name in ("bleu", "bleu_tokenised", "chrf")]
        cells = [f"`{row['preset']}`", row["search"], WAYS[row["by"]], *numbers, f"{row['sentences a second']:.0f}"]
        cells += [share(row.get(name)) for name in ("equal", "alone", "uncached")]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def speed(found: dict) -> list[str]:
    """Write how fast decoders are."""
    if "marian" not in found:
        return []
    named = {"marian": "MarianMT of transformers, PyTorch", **WAYS}
    cases = [(row["sentences"], row["beams"]) for row in found["marian"]["rows"]]
    lines = [
        "## Decoding",
        "",
        "Tokens a second, on 2 CPU cores: 4 + 4 layers of width 128, a vocabulary of 10,000 pieces, new weights, 20",
        "pieces read and 40 written (`benchmarks/decode.py`); in brackets the ratio to MarianMT of the same size.",
        "",
        "| | "
        + " | ".join(f"{count} at once, {'greedy' if beams == 1 else f'{beams} beams'}" for count, beams in cases)
        + " |",
        "|--|" + "--|" * len(cases),
    ]
    for name, title in named.items():
        if name not in found:
            continue
        told = {(row["sentences"], row["beams"]): row for row in found[name]["rows"]}
        cells = []
        for case in cases:
            ratio = told[case].get("ratio")
            cells.append(f"{told[case]['tokens a second']:,.0f}" + (f" ({ratio:.1f})" if ratio else ""))
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def training(found: dict) -> list[str]:
    """Write what a step of training costs."""
    rows = [row for name, section in sorted(found.items()) if name.startswith("training") for row in section["rows"]]
    if not rows:
        return []
    lines = [
        "## A step of training",
        "",
        "The same network, batch and optimizer, against `torch.nn.Transformer` in one process; a ratio over 1 says",
        "that ours is faster.",
        "",
        "| step | ours, ms | plain PyTorch, ms | ratio |",
        "|--|--|--|--|",
    ]
    for row in rows:
        plain = row.get("torch ms")
        cells = [
            row["step"],
            f"{row['ours ms']:.0f}",
            f"{plain:.0f}" if plain else "",
            f"{row['ratio']:.2f}" if plain else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def page(results, made: str) -> str:
    """Write the page.

    Args:
        results: reads results/<name>.json.
        made: the line that says who wrote the page.
    """
    decode = results("decode")
    lines = ["# Translation: what was measured", "", made]
    lines += [*quality(results("translations")), *speed(decode), *training(decode)]
    return "\n".join(lines).rstrip() + "\n"
