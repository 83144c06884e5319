"""How a text preprocessor lies on disk: the tokenizer's own JSON, and a small JSON of ours."""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from attention_zoo.errors import ZooError, ZooFileError

if TYPE_CHECKING:
    from attention_zoo.text.preprocessor import TextPreprocessor

FORMAT = 1
TOKENIZER, CONFIG = "tokenizer.json", "preprocessor.json"


def save(folder: Path, tokenizer: Tokenizer, config: dict) -> None:
    """Write both files; each appears whole or not at all."""
    contents = {TOKENIZER: tokenizer.to_str(pretty=True), CONFIG: json.dumps(config, indent=1)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            _replace(folder / name, content + "\n")
    except OSError as error:
        raise ZooFileError(f"{folder} cannot be written: {error.strerror or error}") from error


def load(folder: Path, kind: "type[TextPreprocessor]") -> "TextPreprocessor":
    """Read both files and make the preprocessor of them."""
    config = _config(folder / CONFIG)
    path = folder / TOKENIZER
    content = _content(path)
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises the bare class
        raise ZooFileError(f"{path} is damaged: {error}") from error
    try:
        return kind(tokenizer, **config)
    except (ZooError, TypeError) as error:
        raise ZooFileError(f"{folder} is damaged: {error}") from error


def _config(path: Path) -> dict:
    content = _content(path)
    try:
        config = json.loads(content)
        if not isinstance(config, dict):
            raise ValueError("it holds no object")
    except (ValueError, RecursionError) as error:
        raise ZooFileError(f"{path} is damaged: {error}") from error
    found = config.pop("format", None)
    if found != FORMAT:
        raise ZooFileError(
            f"{path} must have format {FORMAT}, got {found!r}; a newer attention-zoo may have written it"
        )
    return config


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ZooFileError(f"{path} is missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ZooFileError(f"{path} cannot be read: {error}") from error


def _replace(path: Path, content: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
