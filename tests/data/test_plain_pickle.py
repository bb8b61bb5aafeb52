"""A pickle of a stranger is read as data: nothing of it runs, and anything but names and numbers is refused."""

import collections
import os
import pickle

import pytest

from cfvqa.data import plain_pickle
from cfvqa.data.plain_pickle import read_numbers
from cfvqa.errors import InputError


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "dicom2id.pkl"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_and_numbers_of_every_protocol_are_read(file, protocol):
    rows = {"a": 0, "b": 377_109, "ü": 3}
    file.write_bytes(pickle.dumps(rows, protocol))
    assert read_numbers(file) == rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"a": Harm()}), r"asks for posix\.mkdir, which could run code"),
        (pickle.dumps(Harm(), protocol=0), r"asks for posix\.mkdir, which could run code"),
        (pickle.dumps(collections.OrderedDict(a=1)), r"asks for collections\.OrderedDict"),
        (pickle.dumps({"a": 1})[:-1], "is no whole pickle"),
        (b"", "is no whole pickle"),
        (b"a text", "is no whole pickle"),
        (pickle.dumps({}), "holds an empty dict"),
        (pickle.dumps(["a"]), r"holds '\['a'\]' \(list\)"),
        (pickle.dumps({"a": 1.0}), r"'1\.0' \(float\): give each a text and a whole number"),
        (pickle.dumps({"a": True}), r"'True' \(bool\)"),
        (pickle.dumps({1: 1}), r"holds '1' \(int\) with"),
        (pickle.dumps({"a": {"b": 1}}), r"\(dict\): give each"),
    ],
)
def test_anything_else_is_refused_with_the_name_of_the_file_and_nothing_runs(file, content, words):
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"dicom2id\.pkl .*{words}"):
        read_numbers(file)
    assert not (file.parent / "harm").exists()


def test_a_file_that_is_far_too_large_is_not_loaded(file, monkeypatch):
    monkeypatch.setattr(plain_pickle, "_LARGEST", 10)
    file.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match=r"dicom2id\.pkl has \d+ bytes, more than"):
        read_numbers(file)
