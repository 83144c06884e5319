import hashlib
import os

import pytest

from attention_zoo.data.download import download
from attention_zoo.errors import ZooFileError, ZooValueError

pytestmark = pytest.mark.once

CONTENT = bytes(range(256)) * 4000
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def url(site):
    site.files["/file.bin"] = CONTENT
    return f"{site.address}/file.bin"


def ranges(site):
    return [headers.get("Range") for _, headers in site.requests]


def test_a_file_arrives_whole_and_leaves_no_part(site, url, tmp_path):
    path = download(url, tmp_path / "deep" / "file.bin", SUM)
    assert path.read_bytes() == CONTENT
    assert os.listdir(path.parent) == ["file.bin"]


def test_a_file_with_the_right_sum_is_not_asked_for_again(site, url, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    download(url, tmp_path / "file.bin", SUM.upper())
    assert site.requests == []


def test_a_file_with_another_sum_is_replaced(site, url, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"old")
    assert download(url, tmp_path / "file.bin", SUM).read_bytes() == CONTENT


def test_a_part_of_an_earlier_call_is_resumed(site, url, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    assert download(url, tmp_path / "file.bin", SUM).read_bytes() == CONTENT
    assert ranges(site) == ["bytes=1000-"]


def test_a_cut_connection_is_resumed_in_the_same_call(site, url, tmp_path):
    site.cut_after = 300_000
    assert download(url, tmp_path / "file.bin", SUM).read_bytes() == CONTENT
    assert ranges(site) == [None, "bytes=300000-"]


def test_a_server_that_does_not_resume_sends_all_again(site, url, tmp_path):
    site.resumes = False
    (tmp_path / "file.bin.part").write_bytes(b"x" * 1000)
    assert download(url, tmp_path / "file.bin", SUM).read_bytes() == CONTENT


def test_a_whole_part_needs_no_request(site, url, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert download(url, tmp_path / "file.bin", SUM).read_bytes() == CONTENT
    assert site.requests == []


def test_a_part_longer_than_the_file_is_dropped(site, url, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    assert download(url, tmp_path / "file.bin", SUM).read_bytes() == CONTENT


def test_without_a_sum_nothing_is_resumed(site, url, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"of another file")
    site.cut_after = 300_000
    assert download(url, tmp_path / "file.bin").read_bytes() == CONTENT
    assert ranges(site) == [None, None]


def test_a_wrong_sum_is_one_sentence_and_leaves_nothing(site, url, tmp_path):
    with pytest.raises(ZooFileError, match=rf"must have sha256 {'0' * 64}, got {SUM}; it was deleted"):
        download(url, tmp_path / "file.bin", "0" * 64)
    assert os.listdir(tmp_path) == []


def test_a_wrong_sum_keeps_the_file_that_was_there(site, url, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"old")
    with pytest.raises(ZooFileError):
        download(url, tmp_path / "file.bin", "0" * 64)
    assert (tmp_path / "file.bin").read_bytes() == b"old"


def test_a_missing_file_is_said_at_once(site, tmp_path):
    with pytest.raises(ZooFileError, match="the server answered 404"):
        download(f"{site.address}/none", tmp_path / "none")
    assert len(site.requests) == 1


def test_a_busy_server_is_tried_again(site, url, tmp_path):
    site.answers["/file.bin"] = [503, 429]
    assert download(url, tmp_path / "file.bin", SUM).read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_given_up_and_the_part_kept(site, url, tmp_path):
    site.answers["/file.bin"] = [503] * 9
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(ZooFileError, match=r"503.*1,000 bytes are kept"):
        download(url, tmp_path / "file.bin", SUM)
    assert (tmp_path / "file.bin.part").stat().st_size == 1000


def test_a_server_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ZooFileError, match="could not be downloaded"):
        download("http://127.0.0.1:9/file", tmp_path / "file")


@pytest.mark.parametrize("address", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "a.bin"])
def test_only_https_is_taken(address, tmp_path):
    with pytest.raises(ZooValueError, match="url must begin with https://"):
        download(address, tmp_path / "file")


def test_a_redirect_to_plain_http_is_refused(site, tmp_path):
    site.redirects["/moved"] = "http://example.org/file"
    with pytest.raises(ZooValueError, match="https"):
        download(f"{site.address}/moved", tmp_path / "file")


def test_the_callers_headers_stay_with_their_host(site, url, tmp_path):
    site.redirects["/moved"] = url.replace("127.0.0.1", "localhost")
    site.redirects["/near"] = url
    secret = {"Authorization": "Bearer secret"}
    download(f"{site.address}/moved", tmp_path / "far", SUM, headers=secret)
    download(f"{site.address}/near", tmp_path / "near", SUM, headers=secret)
    assert [headers.get("Authorization") for _, headers in site.requests] == [
        "Bearer secret",
        None,
        "Bearer secret",
        "Bearer secret",
    ]


def test_a_path_that_cannot_be_written_is_one_sentence(site, url, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ZooFileError, match="cannot be written"):
        download(url, tmp_path / "file" / "inside.bin", SUM)


def test_the_bar_shows_only_when_it_takes_long(site, url, tmp_path, capsys, monkeypatch):
    download(url, tmp_path / "quick", SUM)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("attention_zoo.data.progress.SHOW_AFTER_SECONDS", 0.0)
    download(url, tmp_path / "quiet", SUM, quiet=True)
    assert capsys.readouterr() == ("", "")
    download(url, tmp_path / "slow", SUM)
    assert capsys.readouterr() == ("", "file.bin ...\n")


def test_a_terminal_gets_a_bar(site, url, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("attention_zoo.data.progress.SHOW_AFTER_SECONDS", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    download(url, tmp_path / "slow", SUM)
    assert "━" in capsys.readouterr().err
