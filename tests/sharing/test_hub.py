"""The hub is asked for what can only be there, and what it refuses leaves the export whole."""

import huggingface_hub
import pytest
from huggingface_hub import ModelInfo
from huggingface_hub.errors import HTTPError
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.sharing.hub import check_push, fetch, push


class Unreachable:
    """A hub behind a network that is not there."""

    def create_repo(self, name, *, private, exist_ok):
        raise HTTPError("no route to host")


class Public:
    """A hub on which the repository is there already, and public; it takes no file."""

    def create_repo(self, name, *, private, exist_ok):
        assert exist_ok

    def repo_info(self, name):
        return ModelInfo(id=name, private=False)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Stand in an empty folder; returns the names that the hub is asked for, which it does not know."""
    names = []

    def answer(name, *, allow_patterns):
        names.append(name)
        raise HTTPError("no route to host")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    return names


@pytest.mark.parametrize("name", ["bad name/x/y", "bad name/x", "reader", "a/b/c", "../x", "a/..", "/a/b", "", "a/b/"])
def test_a_push_to_what_is_no_name_is_refused(name):
    with pytest.raises(InputError, match=r"push=.*give USER/MODEL"):
        check_push(name)


def test_a_push_without_a_network_is_one_message_that_says_how_to_send_the_export_later(tmp_path, monkeypatch):
    check_push("somebody/reader-1.0")
    monkeypatch.setattr(huggingface_hub, "HfApi", Unreachable)
    again = f"no route to host.*lies in {tmp_path}.*hf upload somebody/reader {tmp_path} --private"
    with pytest.raises(InputError, match=again):
        push(tmp_path, "somebody/reader", Console(quiet=True))


def test_nothing_is_pushed_into_a_repository_that_everybody_sees(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "HfApi", Public)
    with pytest.raises(InputError, match=r"push=somebody/reader: .* public: give another name"):
        push(tmp_path, "somebody/reader", Console(quiet=True))


@pytest.mark.parametrize(
    "name", ["runs/slip", "here/slip", "./slip", "slip/", "../slip", "a/../b", "/a/b", "~/a", "a/.b"]
)
def test_a_mistyped_run_asks_no_network(asked, tmp_path, name):
    (tmp_path / "here").mkdir()
    with pytest.raises(InputError, match=r"no folder .*no name of a model on the hub"):
        fetch(name)
    assert asked == []


def test_a_model_of_the_hub_is_asked_for_and_without_a_network_that_is_one_message(asked):
    with pytest.raises(InputError, match=r"no folder somebody/reader, and the hub gives no model.*no route to host"):
        fetch("somebody/reader")
    assert asked == ["somebody/reader"]
