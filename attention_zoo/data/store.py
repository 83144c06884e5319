"""Where the real data sets lie: the user's folder, then the cache, then their public address.

* `ATTENTION_ZOO_DATA`: a folder with one folder for each set, used as it is and never written to.
* the cache: `data/<name>` of the user's cache folder (platformdirs), filled by a checked download.
* `ATTENTION_ZOO_OFFLINE=1`: nothing is ever downloaded.
"""

import os
import shutil
import tempfile
from pathlib import Path

from attention_zoo.data.download import download
from attention_zoo.data.real_set import RealSet
from attention_zoo.errors import ZooFileError, ZooValueError

_SWITCH = {"": False, "0": False, "false": False, "no": False, "off": False}
_SWITCH |= {"1": True, "true": True, "yes": True, "on": True}


def is_offline() -> bool:
    """Return True where `ATTENTION_ZOO_OFFLINE` forbids downloads.

    Raises:
        ZooValueError: if the variable is neither on (1, true, yes) nor off (0, false, no).
    """
    value = os.environ.get("ATTENTION_ZOO_OFFLINE", "")
    if value.strip().lower() not in _SWITCH:
        raise ZooValueError(f"ATTENTION_ZOO_OFFLINE must be 1 or 0, got {value!r}")
    return _SWITCH[value.strip().lower()]


def cache_folder() -> Path:
    """Return the folder in which downloaded sets are kept."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("attention_zoo")) / "data"


def find(real_set: RealSet) -> Path:
    """Return the folder that holds a set, downloading it where there is none.

    Args:
        real_set: which set.

    Raises:
        ZooFileError: if `ATTENTION_ZOO_DATA` is no folder or holds only a part of the set, if offline mode forbids
            the download, if the set is not published or the download fails, or if the cache cannot be written.
    """
    own = _own_folder(real_set)
    if own is not None:
        return own
    cached = cache_folder() / real_set.name
    if real_set.form.missing(cached) is None:
        return cached
    if not real_set.remote:
        raise ZooFileError(
            f"{real_set.name} cannot be downloaded: put it into a folder {real_set.own_name} of the folder that "
            f"ATTENTION_ZOO_DATA names, now {os.environ.get('ATTENTION_ZOO_DATA', '')!r}"
        )
    if is_offline():
        raise ZooFileError(
            f"{real_set.name} is not on this machine and ATTENTION_ZOO_OFFLINE forbids its download; looked in "
            f"{cached} and ATTENTION_ZOO_DATA={os.environ.get('ATTENTION_ZOO_DATA', '')!r}"
        )
    return _fetch(real_set, cached)


def _own_folder(real_set: RealSet) -> Path | None:
    root = os.environ.get("ATTENTION_ZOO_DATA", "")
    if not root:
        return None
    if not Path(root).is_dir():
        raise ZooFileError(f"ATTENTION_ZOO_DATA must be an existing folder, got {root!r}")
    folder = Path(root) / real_set.own_name
    if not folder.is_dir():
        return None
    missing = real_set.form.missing(folder)
    if missing:
        raise ZooFileError(f"{folder} must hold all of {real_set.name}; {missing} is missing")
    return folder


def _fetch(real_set: RealSet, target: Path) -> Path:
    """Download and convert a set; `target` appears at once, when it is whole."""
    downloads = target.parent / "downloads" / real_set.name
    files = {remote.name: download(remote.url, downloads / remote.name, remote.sha256) for remote in real_set.remote}
    try:
        building = Path(tempfile.mkdtemp(prefix=f".{real_set.name}-", dir=target.parent))
    except OSError as error:
        raise ZooFileError(f"{target.parent} cannot be written: {error.strerror}") from error
    try:
        real_set.form.write(building, files)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(building, target)
    except OSError as error:
        raise ZooFileError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)
    return target
