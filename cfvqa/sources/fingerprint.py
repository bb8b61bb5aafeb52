"""Whether a data set on disk is the one that was read before."""

import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from cfvqa.errors import InputError
from cfvqa.files import digest_of
from cfvqa.sources.source import FileTree, SourceFiles

_COUNTED_AT_ONCE = 1000


def fingerprint(files: SourceFiles, progress: Callable[[int], None] | None = None) -> str:
    """Return hexadecimal digits that change when a file of a source does, and stay when its folder is moved.

    A table counts with its relative name, size and content; a file of a tree, or a listed one, with its relative name,
    size and time of change, so that a copy without its times is another data set (`cp -a` keeps them). Links to folders
    inside a tree are not followed.

    Tables are read once, and every other file is asked for its size and time, none is opened: quick on a local disk,
    while a file server answers once for each of them.

    Args:
        files: what to look at.
        progress: called with the number of files seen so far, the tables left out.

    Raises:
        InputError: naming the file or folder that cannot be read.
    """
    digest = hashlib.sha256()
    seen = 0
    try:
        for table in files.tables:
            _add(digest, _name(table, files.root), table.stat().st_size, digest_of(table))
        for name, size, changed in chain(_in_trees(files), _listed(files)):
            _add(digest, name, size, changed)
            seen += 1
            if progress is not None and seen % _COUNTED_AT_ONCE == 0:
                progress(seen)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}): restore it, or its rights") from error
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", name: str, size: int, state: int | str) -> None:
    digest.update(os.fsencode(name) + f"\0{size}\0{state}\n".encode())


def _name(path: Path, root: Path) -> str:
    return os.path.relpath(path, root)


def _in_trees(files: SourceFiles) -> Iterator[tuple[str, int, int]]:
    for tree in files.trees:
        yield from _walk(tree, files.root)


def _listed(files: SourceFiles) -> Iterator[tuple[str, int, int]]:
    """Yield relative name, size and time of change of the listed files that are there; the reading names the others."""
    for path in files.listed:
        try:
            state = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield _name(path, files.root), state.st_size, state.st_mtime_ns


def _walk(tree: FileTree, root: Path) -> Iterator[tuple[str, int, int]]:
    """Yield relative name, size and time of change; a missing folder is empty here, the reading names its files."""
    if tree.folder.is_dir():
        yield from _entries(str(tree.folder), _name(tree.folder, root), tree.suffix)


def _entries(folder: str, name: str, suffix: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        below = f"{name}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, below, suffix)
        elif entry.name.endswith(suffix):
            state = _state(entry)
            yield below, state.st_size, state.st_mtime_ns


def _state(entry: "os.DirEntry[str]") -> os.stat_result:
    try:
        return entry.stat()
    except FileNotFoundError:  # a link to nothing: the reading says so, where it needs the file
        return entry.stat(follow_symlinks=False)
