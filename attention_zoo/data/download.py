"""Download one file: checked, resumed when it was cut, and never half there."""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from attention_zoo.data.progress import LateBar
from attention_zoo.errors import ZooFileError, ZooValueError

SILENCE_SECONDS = 30.0
PAUSES_SECONDS = (0.5, 2.0, 5.0)
_BLOCK_BYTES = 1 << 18
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_WORTH_TRYING_AGAIN = (408, 416, 425, 429, 500, 502, 503, 504)


def download(
    url: str,
    path: str | os.PathLike,
    sha256: str | None = None,
    *,
    quiet: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Path:
    """Download `url` to `path`, which appears only when it is whole and right.

    What has come so far lies in `<path>.part`. With `sha256` given, a later call (or the next try of this one, after
    a cut connection) goes on where it stopped, by HTTP Range; without it nobody could tell whether the two pieces
    belong together, so it begins anew. A file already at `path` with the right sum is returned without a request.

    Args:
        url: address, https only (http is let through to this very machine).
        path: file to write; its folders are made.
        sha256: what the bytes must have, in hexadecimal; None does not check.
        quiet: True never shows the progress bar (it shows itself after 2 seconds).
        headers: further request headers; they are not sent on to another host that a redirect names.

    Returns:
        `path`.

    Raises:
        ZooValueError: if the address is not https.
        ZooFileError: if it cannot be fetched or written, or has another sum (what came is then deleted).
    """
    path = Path(path)
    _check_address(url)
    if sha256 and path.is_file() and file_sha256(path) == sha256.lower():
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not sha256:
            part.unlink(missing_ok=True)
        _fetch_patiently(url, part, sha256, quiet, dict(headers or {}))
        got = file_sha256(part) if sha256 else None
        if sha256 and got != sha256.lower():
            part.unlink()
            raise ZooFileError(f"{url} must have sha256 {sha256.lower()}, got {got}; it was deleted, nothing was kept")
        os.replace(part, path)
    except ZooFileError:
        raise
    except OSError as error:
        raise ZooFileError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def file_sha256(path: str | os.PathLike) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Cut(Exception):
    """The connection failed in a way that another try may mend."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to allowed addresses only, and keep the caller's headers from other hosts."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """Return the request to follow, or raise if its address is not allowed."""
        _check_address(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            request.headers = {name: value for name, value in request.headers.items() if name in _OUR_HEADERS}
        return request


_OUR_HEADERS = ("User-agent", "Accept-encoding", "Range")


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ZooValueError(f"url must begin with https://, got {url!r}")


def _fetch_patiently(url: str, part: Path, sha256: str | None, quiet: bool, headers: dict[str, str]) -> None:
    """Fetch into `part`, trying again after a pause when the connection is cut."""
    for pause in (*PAUSES_SECONDS, None):
        try:
            return _fetch(url, part, sha256, quiet, headers)
        except _Cut as error:
            if pause is None:
                kept = f"; {part.stat().st_size:,} bytes are kept for the next try" if sha256 and part.is_file() else ""
                raise ZooFileError(f"{url} could not be downloaded: {error}{kept}") from error
            if not sha256:
                part.unlink(missing_ok=True)
            time.sleep(pause)
    return None


def _fetch(url: str, part: Path, sha256: str | None, quiet: bool, headers: dict[str, str]) -> None:
    """Ask once, for what `part` does not yet hold, and write what comes behind it."""
    held = part.stat().st_size if part.is_file() else 0
    if held and file_sha256(part) == (sha256 or "").lower():
        return
    request = urllib.request.Request(url, headers=headers)
    request.add_header("User-Agent", "attention-zoo")
    request.add_header("Accept-Encoding", "identity")
    if held:
        request.add_header("Range", f"bytes={held}-")
    try:
        with urllib.request.build_opener(_SafeRedirects).open(request, timeout=SILENCE_SECONDS) as response:
            _write(response, part, held, quiet, url)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what is held is longer than the file: it belongs to another one
            part.unlink(missing_ok=True)
        if error.code in _WORTH_TRYING_AGAIN:
            raise _Cut(f"the server answered {error.code} {error.reason}") from error
        raise ZooFileError(f"{url} could not be downloaded: the server answered {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _Cut(str(getattr(error, "reason", error)) or type(error).__name__) from error


def _write(response, part: Path, held: int, quiet: bool, url: str) -> None:
    """Append the answer to `part`, or write it anew where the server does not resume."""
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    resumes = response.status == 206 and start is not None and int(start[1]) == held
    if response.status == 206 and not resumes:
        part.unlink(missing_ok=True)
        raise _Cut("the server sent another range than the one asked for")
    done = held if resumes else 0
    length = response.headers.get("Content-Length")
    total = done + int(length) if length else None
    with open(part, "ab" if resumes else "wb") as stream, LateBar(url.rsplit("/", 1)[-1], total, quiet=quiet) as bar:
        while block := response.read(_BLOCK_BYTES):
            stream.write(block)
            done += len(block)
            bar.reach(done)
    if total is not None and done < total:
        raise _Cut(f"the connection was cut after {done:,} of {total:,} bytes")
