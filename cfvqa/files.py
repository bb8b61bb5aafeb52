"""Files that are whole or not there, and what tells their contents apart."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cfvqa.errors import InputError

DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a file raises that holds something else than it should; the last is of what is nested too deeply."""

_FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or what of it a user may take
_NO_SPACE = 64 * 1024  # bytes; less than anything that is written at once


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to: flushed and renamed to it in the end, removed if anything goes wrong.

    Raises:
        InputError: if the disk is full.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with full_disk_named(path):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_folder(folder: Path, key: str) -> None:
    """Make the folder that a key of the config names, with those above it, if it is not there.

    Raises:
        InputError: naming the key, if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{key}: folder {folder} cannot be made ({error.strerror}): give another, {key}=FOLDER"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, whole or not at all.

    Raises:
        InputError: if the disk is full.
    """
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of the content of a file, in hexadecimal digits; however large, it is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Make of what a full disk raises a message: HDF5, Arrow, safetensors and torch each have an error of their own.

    Raises:
        InputError: if something fails and the disk on which `path` lies is full.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = any(getattr(error, "errno", None) == code or os.strerror(code) in str(error) for code in _FULL)
        if said or shutil.disk_usage(path.parent).free < _NO_SPACE:
            raise InputError(
                f"the disk is full while writing {path}: free some of it, or of your quota, and run the command again; "
                "what is finished is kept"
            ) from error
        raise


@contextmanager
def damage_named(what: Path | str, remedy: str) -> Iterator[None]:
    """Make a message of what reading a file raises that holds something else than it should.

    Args:
        what: the file.
        remedy: what to do about it.

    Raises:
        InputError: naming the file.
    """
    try:
        yield
    except DAMAGE as error:
        raise InputError(f"{what} is damaged ({error!r}): {remedy}") from error
