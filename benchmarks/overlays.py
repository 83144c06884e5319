"""Draw why the pretrained classifier of pictures said what it said, for eight test pictures: docs/overlays.png.

    python benchmarks/overlays.py

Of the bundled sample's test pictures: four that it knows, of four labels, and the first four that it takes for
something else. Colours are effects: how far the score of what it said falls where a patch is covered.
"""

from pathlib import Path

from attention_zoo import data, load
from attention_zoo.visualise import Panel, overlay_sheet

PRESET, COUNT, SIDE = "fashion_mnist_hybrid", 4, 120  # pictures of each kind; 1/96 inch
PICTURE = Path(__file__).parents[1] / "docs" / "overlays.png"


def main() -> None:
    """Choose, explain, draw."""
    task, split = load(PRESET), data.load("fashion_mnist", sample=True)["test"]
    images, labels = split["image"], split["label"]
    said = [answer.label for answer in task.predict(list(images))]
    known: dict[str, int] = {}
    for number, (answer, label) in enumerate(zip(said, labels)):
        if answer == label:
            known.setdefault(label, number)
    wrong = [number for number, (answer, label) in enumerate(zip(said, labels)) if answer != label]
    panels = [panel(task, images[number], labels[number]) for number in [*known.values()][:COUNT] + wrong[:COUNT]]
    title = "Points that the score loses where a place is hidden"
    print(
        overlay_sheet(panels, PICTURE, title=title, side=SIDE),
        PICTURE.stat().st_size,
        "bytes;",
        len(wrong),
        "of",
        len(said),
        "wrong",
    )


def panel(task, image, label: str) -> Panel:
    """Return one picture with the effects on what was said."""
    found = task.explain(image)
    answer = found.answer
    return Panel(
        image,
        f"said {answer.label} {answer.score:.0%}",
        f"is {label}",
        values=found.effects[answer.label],
        diverging=True,
    )


if __name__ == "__main__":
    main()
