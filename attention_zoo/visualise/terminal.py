"""An explanation in the terminal: the coloured text, and its numbers in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from attention_zoo.visualise import segments as say
from attention_zoo.visualise.palette import INK, marker
from attention_zoo.visualise.segments import Segment, segment_values
from attention_zoo.visualise.strips import Strip, attention_strip, effect_strips, headline

if TYPE_CHECKING:
    from attention_zoo.visualise.explanation import Explanation


def render(explanation: "Explanation", classes: int = 1) -> Group:
    """Return what rich prints: the answer, the text coloured by attention, and by effect on the top classes.

    Under each copy of the text stand its strongest words with their numbers, so that nothing is lost without colours.

    Args:
        explanation: what to show.
        classes: at most so many labels get a copy of the text with their effects.
    """
    label, details = headline(explanation.answer)
    parts = explanation.segments()
    lines = [Text.assemble((say.printable(label), "bold"), "  ", (say.printable(details), "dim"))]
    strips = [attention_strip(explanation.weights), *effect_strips(explanation.effects, max(classes, 0))]
    for strip in strips:
        title = say.printable(strip.title) + (" (points of 100 lost when a word is hidden)" if strip.diverging else "")
        lines += [Text(), Text(title, style="dim"), _coloured(strip, parts), _numbers(strip, parts)]
    return Group(*lines)


def _coloured(strip: Strip, parts: Sequence[Segment]) -> Text:
    if not strip.values.size:
        return Text("There is no token to colour: the model read nothing of this text.")
    line = Text()
    for part, value in zip(parts, segment_values(parts, strip.values)):
        if value is None:
            line.append(part.text, style="dim italic" if part.note else "")
        elif abs(value) < 0.02 * strip.scale:
            line.append(part.text)
        else:
            line.append(part.text, style=f"{INK} on {marker(value / strip.scale, strip.diverging)}")
    return line


def _numbers(strip: Strip, parts: Sequence[Segment]) -> Text:
    show = say.long_points if strip.diverging else say.long_percent
    top = say.strongest(parts, strip.values)
    if not top:
        return Text("No word counts for as much as half a point." if strip.diverging else "", style="dim")
    listed = ", ".join(f"“{text}” {show(value)}" for text, value in top)
    return Text(f"Most: {listed}", style="dim")
