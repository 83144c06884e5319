"""The page docs/images.md: what was measured about networks for images. Written by `benchmarks/pages.py`."""

EXPLAINED = (
    "## Why it said so",
    "",
    "Eight test pictures and `fashion_mnist_hybrid`: four that it knows, and four that it takes for something else.",
    "Orange places speak for what it said, blue ones against it: hidden, they take so many points of 100 off its",
    "score, or add them (`benchmarks/overlays.py`; for a picture of your own:",
    '`model.explain(path).save("why.html")`).',
    "",
    "![Eight pictures of clothes with what spoke for each answer](overlays.png)",
    "",
)
GRAFTS = (
    ("difference before training", "plain model minus grafted one, before training"),
    ("parameters", "parameters"),
    ("parameters added", "added"),
    ("read on", "saved, and read on another backend"),
    ("onnx difference", "ONNX"),
)


def small(value: float) -> str:
    """Write a difference."""
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-")


def grafts(found: dict) -> list[str]:
    """Write the table of grafts."""
    lines = [
        "## Attention grafted into other models",
        "",
        "`az.interop.graft` puts attention behind named layers of a model that is there already; where the variant can",
        "start as the identity, nothing changes until it is trained. Differences are the largest over all outputs",
        "(`benchmarks/graft.py`); those after the first were measured with the attention at work.",
        "",
        "| network | places | " + " | ".join(title for _, title in GRAFTS) + " |",
        "|--|--|" + "--|" * len(GRAFTS),
    ]
    for section in found.values():
        for row in section["rows"]:
            cells = [
                small(row["difference before training"]),
                f"{row['parameters']:,}",
                f"{row['parameters added']:,}",
                ", ".join(f"{name} {small(value)}" for name, value in row["read on"].items()),
                small(row["onnx difference"]),
            ]
            lines.append(f"| {row['network']} | {row['grafts']} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def speeds(found: dict) -> list[str]:
    """Write the tables of images a second."""
    if not found:
        return []
    lines = [
        "## Speed",
        "",
        "Grey pictures of 28 x 28 pixels, 128 at once, new weights, 2 CPU cores (`benchmarks/images.py`). A ratio over",
        "1 says that ours is faster. Peers of convolutions were made for large pictures and begin with a stride of 4:",
        "they are compared with ours with the same stem (strided), and with ours as it is used for small pictures,",
        "which looks at ten times as many places.",
    ]
    for backend, section in sorted(found.items()):
        if backend == "onnx":
            continue
        head = [
            "ours",
            "parameters",
            "peer",
            "its parameters",
            "predict, images/s",
            "ratio",
            "train, images/s",
            "ratio",
        ]
        lines += ["", f"### {backend}", "", "| " + " | ".join(head) + " |", "|" + "--|" * len(head)]
        for row in section["rows"]:
            cells = [row["ours"], f"{row['parameters']:,}", row["peer"], f"{row['peer parameters']:,}"]
            for kind in ("predict", "train"):
                cells += [f"{row[f'{kind} images/s']:,.0f}", f"{row[f'{kind} ratio']:.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
    if "onnx" in found:
        lines += ["", "### Exported to ONNX, run by onnxruntime", "", "| network | predict, images/s |", "|--|--|"]
        lines += [f"| {row['ours']} | {row['onnx images/s']:,.0f} |" for row in found["onnx"]["rows"]]
    return [*lines, ""]


def page(results, made: str) -> str:
    """Write the page.

    Args:
        results: reads results/<name>.json.
        made: the line that says who wrote the page.
    """
    lines = ["# Images: what was measured", "", made, *EXPLAINED, *grafts(results("graft")), *speeds(results("images"))]
    return "\n".join(lines).rstrip() + "\n"
