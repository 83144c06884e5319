"""The page docs/speech.md: what was measured about speech recognizers. Written by `benchmarks/pages.py`."""

from page_translation import WAYS, share


def row_of(cells: list) -> str:
    """Write a row of a table."""
    return "| " + " | ".join(str(one) for one in cells) + " |"


def table(head: list[str]) -> list[str]:
    """Write the head of a table."""
    return [row_of(head), "|" + "--|" * len(head)]


def quality(found: dict) -> list[str]:
    """Write how well the presets transcribe, in every way that they can be run."""
    if not found:
        return []
    lines = [
        "## Errors, and the same words everywhere",
        "",
        "The whole split (`benchmarks/transcripts.py`). WER and CER: words and letters put in place of others, left",
        "out or too many, by those that were said (jiwer). Equal: transcripts that are written as on TensorFlow.",
        "Real-time factor: seconds of computing for a second of sound, features among them, on 2 CPU cores;",
        "empty where it was not measured on an idle machine.",
        "",
        "On the same 130 utterances of `an4`, ESPnet's transformer with a beam of 10 reports a WER of 7.4 % with a",
        "language model and 7.6 % without, and a CER of 3.6 % (its `egs2/an4/asr1/README.md`, 2021).",
        "",
        *table(["model", "split", "search", "by", "WER", "CER", "equal", "real-time factor"]),
    ]
    for row in found["presets"]["rows"]:
        factor = "" if row["real-time factor"] is None else f"{row['real-time factor']:.4f}"
        cells = [f"`{row['preset']}`", row["split"], row["search"], WAYS[row["by"]], share(row["wer"])]
        lines.append(row_of([*cells, share(row["cer"]), share(row["equal"]), factor]))
    return [*lines, ""]


def memory(found: dict) -> list[str]:
    """Write what a long sound takes."""
    if not found:
        return []
    lines = [
        "## Memory",
        "",
        "Peak of the process that loads the recognizer and transcribes noise (`benchmarks/transcripts.py --memory`): a",
        "long sound is cut where it is quiet, and its pieces are read one batch after another. Features: seconds of",
        "sound that become features in one second.",
        "",
        *table(["model", "by", "a second, MiB", "ten minutes, MiB", "features"]),
    ]
    for row in found["presets"]["rows"]:
        sizes = [f"{row[name]:,.0f}" for name in ("a second, MiB", "ten minutes, MiB", "features, times real time")]
        lines.append(row_of([f"`{row['preset']}`", WAYS[row["by"]], *sizes]))
    return [*lines, ""]


def streaming(found: dict) -> list[str]:
    """Write how long one waits for words while somebody speaks."""
    if not found:
        return []
    lines = [
        "## While somebody speaks",
        "",
        "Sounds come in pieces of 0.1 s (`benchmarks/streaming.py`). Wait: from the end of a word in the sound to the",
        "moment when it stands in the text, computing included. Chunk: computing for one chunk. Both as median and as",
        "what 95 % stay under.",
        "",
        *table(["model", "by", "WER", "CER", "as the whole sound", "wait, s", "chunk, ms", "real-time factor"]),
    ]
    for row in found["presets"]["rows"]:
        pairs = [
            f"{row[key]:.{digits}f}, {row[f'{key}, 95 %']:.{digits}f}"
            for key, digits in (("wait, s", 2), ("chunk, ms", 1))
        ]
        cells = [
            f"`{row['preset']}`",
            WAYS[row["by"]],
            share(row["wer"]),
            share(row["cer"]),
            share(row["as the whole"]),
        ]
        lines.append(row_of([*cells, *pairs, f"{row['real-time factor']:.3f}"]))
    return [*lines, ""]


def voices(found: dict) -> list[str]:
    """Write what is left of the presets on voices that no human has."""
    if not found:
        return []
    lines = [
        "## Far from home",
        "",
        "48 sentences in the manner of AN4, which it does not have, spoken by espeak-ng in eight voices at three",
        "speeds (`benchmarks/voices.py`). Nothing like them was trained on.",
        "",
        *table(["model", "search", "WER", "CER"]),
    ]
    for row in found["presets"]["rows"]:
        lines.append(row_of([f"`{row['preset']}`", row["search"], share(row["wer"]), share(row["cer"])]))
    return [*lines, ""]


def loss(found: dict) -> list[str]:
    """Write how exact and how fast the CTC loss is."""
    backends = [name.split()[0] for name in sorted(found) if name.endswith("differences")]
    if not backends:
        return []
    lines = [
        "## The CTC loss",
        "",
        "Against the paper's recursion in float64 (`benchmarks/ctc.py`): the largest difference of a loss (relative)",
        "and of an entry of its gradient, over all cases. A target that does not fit into its steps has no path. Time:",
        "loss and gradient of 32 rows of 200 steps.",
        "",
        *table(["backend", "of", "loss", "gradient", "target without a path", "ms"]),
    ]
    for backend in backends:
        rows, times = found[f"{backend} differences"]["rows"], found.get(f"{backend} times", {"rows": []})["rows"]
        taken = {row["of"]: f"{row['milliseconds']:.0f}" for row in times}
        for name in dict.fromkeys(row["of"] for row in rows):
            own = [row for row in rows if row["of"] == name]
            worst = [f"{max(row[key] for row in own):.0e}".replace("e-0", "e-") for key in ("loss", "gradient")]
            without = next(row["without a path"] for row in own if row["without a path"])
            lines.append(row_of([WAYS[backend], name, *worst, without, taken.get(name, "")]))
    return [*lines, ""]


def page(results, made: str) -> str:
    """Write the page.

    Args:
        results: reads results/<name>.json.
        made: the line that says who wrote the page.
    """
    lines = ["# Speech: what was measured", "", made]
    lines += [*quality(results("transcripts")), *streaming(results("streaming")), *voices(results("voices"))]
    lines += [*memory(results("memory")), *loss(results("ctc"))]
    return "\n".join(lines).rstrip() + "\n"
