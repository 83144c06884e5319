"""Find the folder of a preset: a path, an address, the cache, the package; in this order.

    find("mine/model")                       an existing folder
    find("https://host/model.tar.gz")        an archive (.tar.gz, .tgz, .zip), `#sha256=...` checks it as a whole
    find("https://host/model/")              a folder whose card.json lists the other files
    find("hf://owner/name@revision")         a repository of the Hugging Face hub (HF_ENDPOINT is respected)
    find("clinc150_intent")                  <cache>/presets/<name>, then the package

What was fetched from an address stays in the cache under that address and is not fetched again; delete its folder to
get it anew. With ATTENTION_ZOO_OFFLINE=1 nothing goes to the network. Only this file reads the
environment for presets.
"""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urldefrag, urlsplit

from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError, need, unknown
from attention_zoo.files import read_json
from attention_zoo.presets.card import CARD, Card, inside

PACKAGE = Path(__file__).parent
ARCHITECTURES = PACKAGE / "architectures.json"
HUB_NAME = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
HERE = ("127.0.0.1", "localhost", "::1")


def offline() -> bool:
    """Tell whether ATTENTION_ZOO_OFFLINE forbids the network."""
    from attention_zoo.data.store import is_offline

    return is_offline()


def cache() -> Path:
    """Return the user's cache folder of attention_zoo; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("attention_zoo"))


def architectures() -> dict[str, dict[str, Any]]:
    """Return the untrained models: name to family, description and config."""
    return read_json(ARCHITECTURES)


def folders() -> dict[str, Path]:
    """Return the presets at hand by name: those of the package, hidden by those of the cache."""
    found = {}
    for shelf in (PACKAGE, cache() / "presets"):
        if shelf.is_dir():
            found.update({path.parent.name: path.parent for path in sorted(shelf.glob(f"*/{CARD}"))})
    return found


def find(name_or_path: str | os.PathLike, *, quiet: bool = False) -> Path:
    """Return the folder of a preset, fetching it first where an address was given.

    Args:
        name_or_path: a folder, an `https://` or `hf://` address, or a name.
        quiet: show no progress while fetching.

    Returns:
        A folder that exists. Its files are as they came: `Card.verify` proves that they are whole.

    Raises:
        ZooTypeError: if `name_or_path` is not a string or a path.
        ZooValueError: if no model has this name (with the nearest three), or an address cannot be understood.
        ZooFileError: if fetching fails, or is forbidden, or what came is not a preset.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise ZooTypeError(f"name_or_path must be a name, a path or an address, got {type(name_or_path).__name__}")
    name = os.fspath(name_or_path)
    if name.startswith("hf://"):
        return _from_hub(name, quiet)
    if name.startswith(("https://", "http://")):
        return _from_address(name, quiet)
    return _from_disk(name)


def _from_disk(name: str) -> Path:
    """Look for a path, then in the cache and the package."""
    path = Path(name).expanduser()
    # A folder of the same name that is no preset (an output of yesterday) does not hide a preset.
    if (path / CARD).is_file() or (path / "config.json").is_file():
        return path
    for shelf in (cache() / "presets", PACKAGE):
        plain = Path(name).name == name and name not in (".", "..", "")
        if plain and (shelf / name).is_dir() and name != "__pycache__":
            return shelf / name
    if path.is_dir():
        raise ZooFileError(f"{path} is a folder but not a preset: it holds no {CARD}")
    if path.is_file():
        raise ZooFileError(f"{path} is a file; a preset is a folder")
    if Path(name).name != name:
        raise ZooFileError(f"{path} does not exist; a path to a preset's folder is wanted")
    raise unknown("model", name, {**folders(), **architectures()})


def _from_hub(name: str, quiet: bool) -> Path:
    """Let huggingface_hub bring a repository into its own cache."""
    match = HUB_NAME.fullmatch(name)
    if match is None:
        raise ZooValueError(f"a hub address must look like hf://owner/name or hf://owner/name@revision, got {name!r}")
    hub = need("huggingface_hub", "hub")
    where = {"endpoint": os.environ.get("HF_ENDPOINT") or None, "local_files_only": offline()}
    if quiet or not sys.stderr.isatty():
        where["tqdm_class"] = _silent()
    try:
        return Path(hub.snapshot_download(match["repo"], revision=match["revision"], **where))
    # Its errors have no common base: OSError (most of them), ValueError, RuntimeError and those of its HTTP client.
    except Exception as error:
        if offline():
            raise _forbidden(name, "the Hugging Face cache") from error
        raise ZooFileError(f"{name} cannot be fetched: {_reason(error)}") from error


def _silent() -> type:
    """Return a progress bar of the hub that shows nothing."""
    base = need("huggingface_hub.utils", "hub").tqdm

    class Silent(base):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent


def _reason(error: Exception) -> str:
    """Say in plain words why the hub did not answer."""
    errors = need("huggingface_hub.errors", "hub")
    known = {
        errors.GatedRepoError: "its owner must grant you access first",
        errors.RepositoryNotFoundError: "there is no such repository, or it is private and you are not logged in",
        errors.RevisionNotFoundError: "the repository has no such revision",
        errors.LocalEntryNotFoundError: "the hub cannot be reached, and its cache on this machine does not hold it",
    }
    for kind, words in known.items():
        if isinstance(error, kind):
            return words
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _from_address(address: str, quiet: bool) -> Path:
    """Fetch an archive or a folder into the cache, whole or not at all."""
    from attention_zoo.presets.archive import SUFFIXES

    parts = urlsplit(address)
    if not parts.hostname or (parts.scheme == "http" and parts.hostname not in HERE):
        raise ZooValueError(f"an address must begin with https:// and name a host, got {address!r}")
    target = cache() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:24]
    if target.is_dir():
        return target
    if offline():
        raise _forbidden(address, f"the cache {cache()}")
    with _new_folder(target) as folder:
        if parts.path.endswith(SUFFIXES):
            _fetch_archive(address, folder, quiet)
        else:
            _fetch_folder(address, folder, quiet)
        Card.from_folder(folder).verify(folder)
    return target


def _fetch_archive(address: str, folder: Path, quiet: bool) -> None:
    from attention_zoo.data.download import download
    from attention_zoo.presets.archive import unpack

    address, fragment = urldefrag(address)
    if fragment and not re.fullmatch(r"sha256=[0-9a-fA-F]{64}", fragment):
        raise ZooValueError(f"what follows # in an address must be sha256=<64 hexadecimal digits>, got {fragment!r}")
    # Outside the folder: an archive inside it could be overwritten by what it holds.
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        archive = Path(place) / urlsplit(address).path.rsplit("/", 1)[-1]
        download(address, archive, fragment.removeprefix("sha256=").lower() or None, quiet=quiet)
        unpack(archive, folder)


def _fetch_folder(address: str, folder: Path, quiet: bool) -> None:
    from attention_zoo.data.download import download

    parts = urlsplit(address)
    if parts.query or parts.fragment:
        raise ZooValueError(f"the address of a preset's folder must have no ? and no #, got {address!r}")
    base = address.rstrip("/")
    download(f"{base}/{CARD}", folder / CARD, quiet=True)
    for name, digest in Card.from_folder(folder).files.items():
        path = inside(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        download(f"{base}/{quote(name)}", path, digest, quiet=quiet)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill next to `target`; it becomes `target` only if nothing failed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ZooFileError(f"{target.parent} cannot be written: {error.strerror}") from error
    try:
        yield part
        part.rename(target)
    except ZooFileError:
        raise
    except OSError as error:
        # Another process may have fetched the same address meanwhile: both hold the same, verified files.
        if not target.is_dir():
            raise ZooFileError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _forbidden(name: str, place: str) -> ZooFileError:
    return ZooFileError(f"{name} is not in {place}, and ATTENTION_ZOO_OFFLINE=1 forbids going to the network")
