"""The page docs/emotions.md: what was measured about emotion recognizers. Written by `benchmarks/pages.py`."""

from page_speech import row_of, table

BAR, GAIN = 0.72, 0.05  # accuracy on RAVDESS that was aimed at, and how much more than the best single modality
MOSI = 0.803  # accuracy of a contextual LSTM on the same features of CMU-MOSI
PARTS = ("image", "audio", "text", "image+audio", "image+text", "audio+text", "image+audio+text")


def measured(row: dict, name: str) -> str:
    """Write mean and spread of a measure."""
    if name not in row:
        return ""
    spread = row[f"{name} spread"]
    return f"{row[name]:.3f}" + ("" if spread is None else f" ± {spread:.3f}")


def weights(row: dict) -> str:
    """Write how much each modality weighed."""
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in row.get("shares", {}).items())


def setting(row: dict) -> str:
    """Write a setting without the name of its data; incomplete ones say how much of them is there."""
    name = row["setting"].split(" ", 1)[1]
    return name if row["runs"] == row["of"] else f"{name} ({row['runs']} of {row['of']} runs)"


def chosen(rows: list[dict], name: str, *beside: str) -> list[dict]:
    """Return the rows of a table, and of other settings that stand there to compare with, these first."""
    own = [row for row in rows if row["table"] == name]
    return [row for row in rows if row["setting"] in beside] + own if own else []


def single(rows: list[dict]) -> list[str]:
    """Write each modality, pair and fusion of RAVDESS."""
    found = chosen(rows, "modalities") + chosen(rows, "fusions")
    if not found:
        return []
    alone = [row["accuracy"] for row in rows if row["setting"].split(" ", 1)[1] in ("image", "audio", "text")]
    best = max(found, key=lambda row: row["val accuracy"])
    lines = [
        "## RAVDESS: modalities and fusions",
        "",
        "Eight emotions, five folds of actors: nobody who is tested was heard or seen in training. Mean and spread",
        "(sample standard deviation) over the folds. Image: means of 35 numbers of the face over the video (action",
        "units); audio: log-mel of the sound; text: one of two sentences that are said in every emotion. Of pairs and",
        "of all three the fusion is `gated` where none is named. Weight: the size of a modality's Shapley value as a",
        "share of all, in the mean over the test rows.",
        "",
        *table(["setting", "accuracy", "macro F1", "weight", "parameters", "processor s an epoch"]),
    ]
    for row in found:
        cells = [setting(row), measured(row, "accuracy"), measured(row, "macro_f1"), weights(row)]
        lines.append(row_of([*cells, f"{row['parameters']:,}", f"{row['processor seconds an epoch']:.1f}"]))
    gain = f", {100 * (best['accuracy'] - max(alone)):+.1f} points over the best modality alone" if alone else ""
    lines += [
        "",
        f"Best on validation: {setting(best)}, on test {best['accuracy']:.3f}{gain}; aimed at were {BAR} and "
        f"{100 * GAIN:+.0f} points.",
        "",
        f"![Confusion matrix of {setting(best)}, all folds together](emotions_confusion.png)",
        "",
    ]
    return lines


def missing(rows: list[dict]) -> list[str]:
    """Write what is left where modalities are missing at test."""
    found = chosen(rows, "missing", "ravdess all gated")
    if not found:
        return []
    lines = [
        "## RAVDESS: what is missing at test",
        "",
        "One model of all three modalities, trained with different shares of modalities left out (0.2 where none is",
        "named), and judged on parts of them: accuracy, mean over the folds.",
        "",
        *table(["setting", *PARTS]),
    ]
    lines += [row_of([setting(row), *(f"{row['subsets'][part]:.3f}" for part in PARTS)]) for row in found]
    return [*lines, ""]


def tasks(rows: list[dict]) -> list[str]:
    """Write several tasks together against each alone."""
    found = chosen(rows, "tasks", "ravdess image+audio")
    if not found:
        return []
    lines = [
        "## RAVDESS: several tasks",
        "",
        "Emotion, intensity and sex of the speaker from image and audio: attention that all share, attention of each",
        "task's own, and both joined by a gate; losses weighed by learned uncertainty unless said otherwise. Accuracy.",
        "",
        *table(["setting", "emotion", "intensity", "sex", "parameters", "processor s an epoch"]),
    ]
    for row in found:
        alone = row["setting"].split()[1] if row["setting"].endswith("alone") else ""
        cells = [measured(row, "accuracy") if not alone else ""]
        for task in ("intensity", "sex"):
            cells.append(measured(row, "accuracy" if alone == task else f"{task}_accuracy"))
        lines.append(
            row_of([setting(row), *cells, f"{row['parameters']:,}", f"{row['processor seconds an epoch']:.1f}"])
        )
    return [*lines, ""]


def conversations(rows: list[dict]) -> list[str]:
    """Write what conversations give on CMU-MOSI."""
    found = chosen(rows, "conversations")
    if not found:
        return []
    lines = [
        "## CMU-MOSI: conversations",
        "",
        "Two classes, official test split (752 utterances of 31 videos), features of others; three seeds. Context:",
        "whether the utterances of a video see each other. A contextual LSTM of all three reached "
        f"{MOSI} (Poria et al. 2017).",
        "",
        *table(["setting", "accuracy", "macro F1", "weight", "processor s an epoch"]),
    ]
    for row in found:
        cells = [setting(row), measured(row, "accuracy"), measured(row, "macro_f1"), weights(row)]
        lines.append(row_of([*cells, f"{row['processor seconds an epoch']:.1f}"]))
    return [*lines, ""]


def page(results, made: str) -> str:
    """Write the page.

    Args:
        results: reads results/<name>.json.
        made: the line that says who wrote the page.
    """
    rows = results("emotions").get("settings", {"rows": []})["rows"]
    lines = ["# Emotions: what was measured", "", made]
    if not rows:
        lines += ["Nothing is measured yet (`benchmarks/emotions.py`).", ""]
    lines += [*single(rows), *missing(rows), *tasks(rows), *conversations(rows)]
    return "\n".join(lines).rstrip() + "\n"
