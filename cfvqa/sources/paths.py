"""Paths that come from tables: they stay inside the data folder."""

from pathlib import Path, PurePosixPath

from cfvqa.errors import InputError


def safe_path(root: Path, relative: str) -> Path:
    """Return root / relative.

    Raises:
        InputError: if `relative` is absolute, climbs with "..", or leaves `root` through a link.
    """
    pure = PurePosixPath(relative)
    if pure.is_absolute() or ".." in pure.parts:
        raise InputError(f"path '{relative}' leaves the data folder {root}: paths in tables must be relative to it")
    path = root / pure
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"path '{relative}' is a link that leaves the data folder {root}: copy the file into it")
    return path


def existing_root(root: Path | str | None, key: str = "source.root") -> Path:
    """Return the data folder, or say that it is missing."""
    if root is None or not str(root):
        raise InputError(f"{key} is not set: give the folder of the data set, {key}=FOLDER")
    path = Path(root).expanduser()
    if not path.is_dir():
        raise InputError(f"{key}: no folder {path}; give the folder of the data set, {key}=FOLDER")
    return path
