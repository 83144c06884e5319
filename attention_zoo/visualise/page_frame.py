"""What all pages share: a head that lets nothing be loaded, one script that may run, text that stays text."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

from attention_zoo.visualise import segments as say


def safe(text: str) -> str:
    """Return a text as it may stand in HTML, in an attribute too; what cannot be printed is shown by its number."""
    return escape(say.printable(text), quote=True)


def framed(title: str, style: str, parts: Iterable[str], script: str, pictures: bool = True, before: str = "") -> str:
    """Return a whole page.

    Args:
        title: of the page, as plain text.
        style: its style sheet.
        parts: what stands on it, as HTML; empty ones are left out.
        script: the only one that may run.
        pictures: whether it holds pictures, within itself.
        before: HTML that stands before what is seen.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = " img-src data:;" if pictures else ""
    policy = f"default-src 'none';{shown} style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{before}<main>\n{body}"
        f"\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def numbers_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, folded up until it is asked for.

    Args:
        head: names of the columns.
        rows: their cells; the first of each names the row.
    """
    heads = "".join(f'<th scope="col">{safe(name)}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row"><bdi>{safe(first)}</bdi></th>{"".join(f"<td>{safe(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        '<details><summary>All numbers</summary><div class="wide"><table><thead><tr>'
        f"{heads}</tr></thead><tbody>{lines}</tbody></table></div></details>"
    )


def picture(png: bytes, words: str) -> str:
    """Return a PNG as one line of HTML, for a notebook.

    Args:
        png: its bytes.
        words: what a screen reader says.
    """
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{safe(words)}" style="width:900px;max-width:100%" src="data:image/png;base64,{data}">'
