"""Pickles of strangers, read as data: loading one in the usual way may run any code that its writer chose."""

import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

from cfvqa.errors import InputError

_LARGEST = 2**28  # bytes; the rows of all 377,110 radiographs of MIMIC-CXR-JPG take a tenth of it
_DAMAGES = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError, MemoryError,
)  # fmt: skip


class _Plain(pickle.Unpickler):
    """Builds what Python has a notation for, and looks up nothing by name: so there is nothing to call."""

    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content))
        self._path = path

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        raise InputError(
            f"{self._path} asks for {module_name}.{global_name}, which could run code: only a plain dict of texts and "
            "whole numbers is read; write it again as one"
        )


def read_numbers(path: Path) -> dict[str, int]:
    """Return a pickled dict of names and numbers; no code of the file runs.

    Raises:
        InputError: naming the file, if it is too large, damaged, or holds anything else.
    """
    if (size := path.stat().st_size) > _LARGEST:
        raise InputError(f"{path} has {size:,} bytes, more than a dict of names and rows takes ({_LARGEST:,} at most)")
    try:
        content = _Plain(path.read_bytes(), path).load()
    except _DAMAGES as error:
        raise InputError(f"{path} is no whole pickle ({error}): copy it again") from error
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{path} holds {_kind(content)}: it must be a dict of names and whole numbers, of one at least"
        )
    for name, number in content.items():
        if type(name) is not str or type(number) is not int:
            raise InputError(f"{path} holds {_kind(name)} with {_kind(number)}: give each a text and a whole number")
    return content


def _kind(value: Any) -> str:
    return f"an empty {type(value).__name__}" if value == {} else f"'{str(value)[:40]}' ({type(value).__name__})"
