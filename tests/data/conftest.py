"""A loopback HTTP server that can resume, cut, fail and redirect, for tests of downloads."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Site:
    """What the server offers and what it was asked for.

    Set `files[path]` to bytes, `redirects[path]` to an address, `answers[path]` to status codes that come first.
    `cut_after` closes the first answer after so many bytes; `resumes` False ignores Range.
    """

    def __init__(self):
        self.files, self.redirects, self.answers, self.requests = {}, {}, {}, []
        self.cut_after, self.resumes, self.address = None, True, ""


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        site.requests.append((self.path, dict(self.headers)))
        if site.answers.get(self.path):
            return self._status(site.answers[self.path].pop(0))
        if self.path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path not in site.files:
            return self._status(404)
        return self._send(site, site.files[self.path])

    def _status(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, site, content):
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and site.resumes else 0
        if start >= len(content) > 0:
            return self._status(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if site.cut_after is not None:
            body, site.cut_after = body[: site.cut_after], None
            self.close_connection = True
        self.wfile.write(body)


@pytest.fixture
def site():
    """Serve on this machine for the length of one test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.site = Site()
    server.site.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """Keep the machine's own data, cache and switches out of the tests, and make no pauses."""
    monkeypatch.delenv("ATTENTION_ZOO_DATA", raising=False)
    monkeypatch.delenv("ATTENTION_ZOO_OFFLINE", raising=False)
    monkeypatch.setattr("attention_zoo.data.store.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("attention_zoo.data.download.PAUSES_SECONDS", (0.0, 0.0))
