"""Files are whole or not there, whatever happens while they are written."""

import errno
import hashlib
import tracemalloc
from types import SimpleNamespace

import pytest

from cfvqa.errors import InputError
from cfvqa.files import digest_of, full_disk_named, whole, write_text


def test_a_file_is_there_when_it_is_whole(tmp_path):
    file = tmp_path / "a.txt"
    with whole(file) as temporary:
        temporary.write_text("new")
        assert not file.exists()
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def stop_half_way(file, error):
    with whole(file) as temporary:
        temporary.write_text("half of the n")
        raise error


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(75)])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(type(error)):
        stop_half_way(file, error)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_by_its_error_number(tmp_path, number):
    with pytest.raises(InputError, match=r"the disk is full while writing .*a\.txt"), whole(tmp_path / "a.txt"):
        raise OSError(number, "nothing that is searched for")


def test_a_full_disk_is_named_where_a_library_has_an_error_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(InputError, match="the disk is full"), full_disk_named(tmp_path / "a.h5"):
        raise RuntimeError("unable to flush file")


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(RuntimeError), full_disk_named(tmp_path / "a.h5"):
        raise RuntimeError("unable to flush file")


def test_a_large_file_is_digested_in_pieces(tmp_path):
    file, size = tmp_path / "last.ckpt", 32 * 2**20
    with file.open("wb") as large:
        large.truncate(size)
    tracemalloc.start()
    found = digest_of(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == hashlib.sha256(bytes(size)).hexdigest()
    assert peak < size / 8
