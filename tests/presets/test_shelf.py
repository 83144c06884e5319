"""Finding a preset: order of the places, archives, folders behind an address, the hub, offline."""

import functools
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import threading
import warnings
import zipfile
from urllib.parse import unquote, urlsplit

import pytest

from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.presets import archive, shelf
from attention_zoo.presets.card import Card

pytestmark = pytest.mark.once
COMMIT = "a" * 40


def make_preset(folder, name="toy", text="weights"):
    (folder / "preprocessor").mkdir(parents=True)
    (folder / "config.json").write_text('{"family": "toy"}')
    (folder / "weights.npz").write_text(text)
    (folder / "preprocessor" / "tokens and more.json").write_text("{}")
    Card(name=name, family="toy").write(folder)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "cache", lambda: tmp_path / "cache")
    monkeypatch.delenv("ATTENTION_ZOO_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "PACKAGE", tmp_path / "package")
    (tmp_path / "package").mkdir()
    return tmp_path / "package"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve a folder; keep what was asked."""

    def log_message(self, *arguments):
        """Stay silent."""

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.asked = []
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def web(tmp_path):
    (tmp_path / "web").mkdir()
    server = serve(functools.partial(Handler, directory=str(tmp_path / "web")))
    server.folder = tmp_path / "web"
    yield server
    server.shutdown()
    server.server_close()


def pack(folder, path, wrapper=""):
    """Write the files of a folder to an archive of the kind that the path's suffix names."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    names = [wrapper + file.relative_to(folder).as_posix() for file in files]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as target:
            for file, name in zip(files, names):
                target.write(file, name)
    else:
        with tarfile.open(path, "w:gz") as target:
            for file, name in zip(files, names):
                target.add(file, name)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left_over(folder):
    return [path.name for path in folder.rglob("*")] if folder.exists() else []


def test_a_folder_comes_before_the_cache_and_the_cache_before_the_package(cache, package, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_preset(package / "toy")
    assert shelf.find("toy") == package / "toy"
    make_preset(cache / "presets" / "toy")
    assert shelf.find("toy") == cache / "presets" / "toy"
    (tmp_path / "toy").mkdir()
    assert shelf.find("toy") == cache / "presets" / "toy", "an empty folder of the same name hides nothing"
    make_preset(tmp_path / "here" / "toy")
    monkeypatch.chdir(tmp_path / "here")
    assert shelf.find("toy").resolve() == tmp_path / "here" / "toy"
    assert shelf.find(tmp_path / "here" / "toy") == tmp_path / "here" / "toy"
    assert shelf.folders() == {"toy": cache / "presets" / "toy"}


def test_an_unknown_name_is_answered_with_the_nearest_three(cache, package):
    make_preset(package / "clinc150_intent")
    with pytest.raises(ZooValueError) as caught:
        shelf.find("clinc_intent")
    sentence = str(caught.value)
    assert sentence.startswith("model 'clinc_intent' is unknown")
    assert "'clinc150_intent'" in sentence and sentence.count("', '") == 2


@pytest.mark.parametrize("name", ["..", "", "__pycache__", "../presets", "presets/.."])
def test_a_name_never_climbs_out_of_the_shelf(cache, package, name, tmp_path, monkeypatch):
    monkeypatch.chdir(package)
    make_preset(cache / "presets" / "toy")
    (package / "__pycache__").mkdir()
    with pytest.raises(ZooError):
        shelf.find(name)


def test_a_path_that_is_no_preset_says_what_it_is(cache, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for name, wanted in [("folder", "holds no card"), ("file", "is a file"), ("nowhere/at/all", "does not exist")]:
        with pytest.raises(ZooFileError, match=wanted):
            shelf.find(tmp_path / name)
    with pytest.raises(ZooTypeError, match="got int"):
        shelf.find(3)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".zip"])
@pytest.mark.parametrize("wrapper", ["", "toy/"])
def test_an_archive_is_fetched_once_and_then_found_offline(cache, web, tmp_path, monkeypatch, suffix, wrapper):
    digest = pack(make_preset(tmp_path / "source"), web.folder / f"toy{suffix}", wrapper)
    address = f"{web.address}/toy{suffix}#sha256={digest}"
    folder = shelf.find(address, quiet=True)
    Card.from_folder(folder).verify(folder)
    assert folder.is_relative_to(cache)
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "config.json", "preprocessor", "weights.npz"]
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    assert shelf.find(address) == folder
    assert len(web.asked) == 1
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing half-done lies around"


def test_a_folder_behind_an_address_is_fetched_by_its_card(cache, web):
    source = make_preset(web.folder / "models" / "toy")
    (source / "unlisted.txt").write_text("not part of the preset")
    folder = shelf.find(f"{web.address}/models/toy/", quiet=True)
    Card.from_folder(folder).verify(folder)
    assert not (folder / "unlisted.txt").exists()
    assert (folder / "preprocessor" / "tokens and more.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["card.json", "config.json", "weights.npz", "preprocessor/tokens and more.json"])
@pytest.mark.parametrize("damage", ["removed", "changed"])
def test_nothing_is_kept_of_a_damaged_folder(cache, web, name, damage):
    source = make_preset(web.folder / "toy")
    if damage == "removed":
        (source / name).unlink()
    else:
        (source / name).write_bytes(b"!" + (source / name).read_bytes()[1:])
    with pytest.raises(ZooFileError):
        shelf.find(f"{web.address}/toy", quiet=True)
    assert left_over(cache) == ["downloads"]


def test_nothing_is_kept_of_a_damaged_archive(cache, web, tmp_path):
    digest = pack(make_preset(tmp_path / "source"), web.folder / "toy.tar.gz")
    whole = (web.folder / "toy.tar.gz").read_bytes()
    for end in (0, 10, len(whole) // 2):
        (web.folder / "toy.tar.gz").write_bytes(whole[:end])
        with pytest.raises(ZooFileError, match=r"whole archive|holds no preset|damaged"):
            shelf.find(f"{web.address}/toy.tar.gz", quiet=True)
    with pytest.raises(ZooFileError, match="sha256"):
        shelf.find(f"{web.address}/toy.tar.gz#sha256={digest}", quiet=True)
    assert left_over(cache) == ["downloads"]


@pytest.mark.parametrize("name", ["card.json", "config.json", "weights.npz", "preprocessor/tokens and more.json"])
def test_nothing_is_kept_of_an_archive_that_is_not_what_its_card_says(cache, web, tmp_path, name):
    source = make_preset(tmp_path / "source")
    (source / name).write_bytes(b"!" + (source / name).read_bytes()[1:])
    pack(source, web.folder / "toy.zip")
    with pytest.raises(ZooFileError, match="damaged"):
        shelf.find(f"{web.address}/toy.zip", quiet=True)
    assert left_over(cache) == ["downloads"]


def test_a_card_behind_an_address_cannot_write_outside(cache, web):
    source = make_preset(web.folder / "toy")
    card = json.loads((source / "card.json").read_text())
    card["files"]["../../../escaped"] = hashlib.sha256(b"x").hexdigest()
    (source / "card.json").write_text(json.dumps(card))
    with pytest.raises(ZooFileError, match="leaves the preset's folder"):
        shelf.find(f"{web.address}/toy", quiet=True)
    assert not list(cache.parent.rglob("escaped*"))


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped"])
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_cannot_write_outside(tmp_path, name, suffix):
    path, folder = tmp_path / f"evil{suffix}", tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as target:
            target.writestr(name, "evil")
    else:
        with tarfile.open(path, "w:gz") as target:
            target.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ZooFileError, match="leaves the preset's folder"):
        archive.unpack(path, folder)
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_links_in_an_archive_are_refused(tmp_path, suffix):
    path, folder = tmp_path / f"evil{suffix}", tmp_path / "folder"
    folder.mkdir()
    if suffix == ".zip":
        entry = zipfile.ZipInfo("link")
        entry.external_attr = 0o120777 << 16
        with zipfile.ZipFile(path, "w") as target:
            target.writestr(entry, "/etc")
    else:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        with tarfile.open(path, "w:gz") as target:
            target.addfile(entry)
    with pytest.raises(ZooFileError, match="not a plain file"):
        archive.unpack(path, folder)
    assert left_over(folder) == []


def test_an_archive_that_unpacks_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LIMIT", 100_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("zeros", bytes(1_000_000))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ZooFileError, match="more than 100000 bytes"):
        archive.unpack(tmp_path / "bomb.zip", tmp_path / "folder")


@pytest.mark.parametrize(
    "address", ["http://example.org/toy.zip", "https://", "https:///toy", "hf://owner", "hf://a/b/c", "hf://a/b@"]
)
def test_an_address_that_cannot_work_is_refused_without_asking_anybody(cache, address):
    with pytest.raises(ZooValueError, match="address must"):
        shelf.find(address)


def test_offline_never_asks_the_network(cache, web, tmp_path, monkeypatch):
    pack(make_preset(tmp_path / "source"), web.folder / "toy.zip")
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    for address in (f"{web.address}/toy.zip", f"{web.address}/toy/"):
        with pytest.raises(ZooFileError, match="ATTENTION_ZOO_OFFLINE=1 forbids"):
            shelf.find(address)
    assert web.asked == []


class Hub(http.server.BaseHTTPRequestHandler):
    """The few answers of a Hugging Face hub that `snapshot_download` wants, for one repository."""

    folder = None

    def log_message(self, *arguments):
        """Stay silent."""

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        self.server.asked.append(self.path)
        path = unquote(urlsplit(self.path).path)
        files = {file.relative_to(self.folder).as_posix(): file for file in self.folder.rglob("*") if file.is_file()}
        if path in (
            "/api/models/owner/toy",
            *(f"/api/models/owner/toy/revision/{at}" for at in ("main", "v2", COMMIT)),
        ):
            names = [{"rfilename": name} for name in files]
            self.json(
                {"_id": "1", "id": "owner/toy", "modelId": "owner/toy", "sha": COMMIT, "siblings": names, "tags": []}
            )
        elif path.startswith(f"/api/models/owner/toy/tree/{COMMIT}"):
            self.json([self.entry(name, file) for name, file in files.items()])
        elif (name := path.removeprefix(f"/owner/toy/resolve/{COMMIT}/")) in files:
            content = files[name].read_bytes()
            digest = hashlib.sha1(content).hexdigest()
            self.send(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{digest}"'})
        else:
            code = "RevisionNotFound" if path.startswith("/api/models/owner/toy/") else "RepoNotFound"
            self.send(404, b"{}", {"X-Error-Code": code, "X-Error-Message": "not here"})

    def entry(self, name, file):
        content = file.read_bytes()
        return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def json(self, value):
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, code, content, headers):
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    server = serve(type("ThisHub", (Hub,), {"folder": make_preset(tmp_path / "hub")}))
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("revision", ["", "@v2", f"@{COMMIT}"])
def test_the_hub_brings_a_whole_preset(cache, hub, tmp_path, revision):
    folder = shelf.find(f"hf://owner/toy{revision}", quiet=True)
    Card.from_folder(folder).verify(folder)
    assert folder.is_relative_to(tmp_path / "hub_cache")
    assert hub.asked


def test_the_hub_is_not_asked_offline(cache, hub, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    with pytest.raises(ZooFileError, match="ATTENTION_ZOO_OFFLINE=1 forbids"):
        shelf.find("hf://owner/toy")
    monkeypatch.delenv("ATTENTION_ZOO_OFFLINE")
    folder = shelf.find("hf://owner/toy", quiet=True)
    asked = len(hub.asked)
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    assert shelf.find("hf://owner/toy") == folder, "what came once is found offline"
    assert len(hub.asked) == asked


@pytest.mark.parametrize(
    ("name", "reason"),
    [("hf://owner/nowhere", "no such repository"), ("hf://owner/toy@no_such_branch", "no such revision")],
)
def test_what_the_hub_does_not_have_is_one_sentence(cache, hub, name, reason):
    with pytest.raises(ZooFileError, match=f"cannot be fetched: .*{reason}") as caught:
        shelf.find(name, quiet=True)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_a_hub_that_cannot_be_reached_is_one_sentence(cache, hub):
    hub.shutdown()
    hub.server_close()
    with pytest.raises(ZooFileError, match="cannot be reached"):
        shelf.find("hf://owner/toy", quiet=True)


def test_a_missing_hub_package_names_the_pip_command(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'attention-zoo\[hub\]'"):
        shelf.find("hf://owner/toy")


def test_an_unwritable_cache_is_named(web, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(shelf, "cache", lambda: tmp_path / "file")
    pack(make_preset(tmp_path / "source"), web.folder / "toy.zip")
    with pytest.raises(ZooFileError, match="cannot be written"):
        shelf.find(f"{web.address}/toy.zip", quiet=True)


def test_the_cache_lies_where_the_system_wants_it(monkeypatch, tmp_path):
    if os.name != "posix":
        pytest.skip("the variable is of Linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shelf.cache().parent == tmp_path or "Library" in str(shelf.cache())
