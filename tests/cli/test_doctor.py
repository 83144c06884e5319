"""The doctor: what works, what fails, what to install."""

import json

import pytest

from attention_zoo import cli
from attention_zoo.cli import doctor

pytestmark = pytest.mark.once


@pytest.fixture
def run(capsys):
    """Run a command line; return exit code and stdout."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main(list(arguments))
        return left.value.code, capsys.readouterr().out

    return run


def report(**backends):
    packages = {"keras": "3.15.1", "numpy": None}
    extras = {"export": {"onnx": None, "tf2onnx": "1.16.1"}, "plot": {"matplotlib": "3.9"}}
    fields = {"packages": packages, "backends": backends, "extras": extras, "models": 2, "cache": "/c", "offline": True}
    return {"version": "1", "python": "3.11", "system": "Linux", **fields}


def test_doctor_names_what_works_what_fails_and_what_to_install(run, monkeypatch):
    works = {"version": "2.1", "works": True, "seconds": 0.1, "device": "cpu:0"}
    fails = {"version": "0.9", "works": False, "error": "ImportError: broken"}
    absent = {"version": None, "works": False}
    monkeypatch.setattr(doctor, "examine", lambda: report(one=works, two=fails, three=absent))
    code, out = run("doctor")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "numpy missing" in lines
    assert "one 2.1 works: 0.1 s on cpu:0" in lines
    assert "two 0.9 fails: ImportError: broken" in lines
    assert "three - not installed; run: pip install 'attention-zoo[three]'" in lines
    assert "export lacks onnx; run: pip install 'attention-zoo[export]'" in lines
    assert "plot ready: matplotlib 3.9" in lines
    monkeypatch.setattr(doctor, "examine", lambda: report(three=absent))
    code, out = run("doctor", "--json")
    assert code == 2 and json.loads(out)["backends"]["three"] == absent


def test_doctor_knows_the_requirements_of_this_project():
    wanted = doctor.requirements()
    assert "keras" in wanted[""] and "onnxruntime" in wanted["export"] and "huggingface-hub" in wanted["hub"]


def test_doctor_reports_the_last_line_of_a_backend_that_fails():
    row = doctor._try("no_such_backend")
    assert row["works"] is False and row["version"] is None and "\n" not in row["error"]


def test_a_module_counts_whatever_its_distribution_is_called(monkeypatch):
    monkeypatch.setattr(doctor, "_modules", lambda: {"some_thing": ["pytest"]})
    assert doctor.version_of("some-thing") == pytest.__version__
    assert doctor.version_of("no-such-thing") is None
