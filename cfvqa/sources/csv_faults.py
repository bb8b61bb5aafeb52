"""What is wrong with a file that cannot be read as CSV: the row, found by reading it again, row by row."""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, cast

from cfvqa.errors import InputError

_START = 2**20  # bytes that tell how a file is written


def separator(path: Path) -> str:
    """Return what divides the columns of a file: tabs in a text file (.txt)."""
    return "\t" if ".txt" in path.suffixes else ","


def refuse_other_encoding(path: Path) -> None:
    """Refuse text of two or four bytes a letter, or with lines of old Macs: read otherwise, it has strange columns."""
    with _readable(), _opened(path) as file:
        start = file.read(_START)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start[:2]:
            raise InputError(f"{path} is no UTF-8 text, but UTF-16 or UTF-32: save it as UTF-8")
        if b"\r" in start and b"\n" not in start:
            raise InputError(f"{path} ends its lines with CR alone, as old Macs did: save it with LF or CR LF")


def refuse_other_letters(path: Path) -> None:
    """Refuse the first row that is no UTF-8."""
    with _readable(), _opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(f"{path}, row {number}: it is no UTF-8 text: save the file as UTF-8") from error


def refuse_open_quote(path: Path) -> None:
    """Refuse the row in which a quote begins that does not end."""
    with suppress(OSError, EOFError, zlib.error), _opened(path) as file:
        rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""), delimiter=separator(path), strict=True)
        row = 1
        try:
            for _ in rows:
                row += 1
        except csv.Error as error:
            raise InputError(f"{path}, row {row}: a quote in it ends nowhere, or too early: correct it") from error


def refuse_bare_quote(path: Path) -> None:
    """Refuse the first line with a quote amid a text, where it is to be doubled, and the text quoted."""
    bare = re.compile(rf"""[^{separator(path)}"]"[^{separator(path)}"\r\n]""")
    with _readable(), _opened(path) as file:
        for number, line in enumerate(io.TextIOWrapper(file, encoding="utf-8", errors="replace"), 1):
            if bare.search(line):
                raise InputError(
                    f"{path}, row {number}: a quote stands amid a text: double it, and put the text into quotes"
                )


def refuse_wide_row(path: Path, skip_rows: int, least: int) -> None:
    """Refuse the first row with more fields than the first row has, or the first row if it has too few."""
    rows = islice(_rows(path), skip_rows, None)
    first, fields = next(rows, (0, []))
    width = len(fields)
    if 0 < width < least:
        raise InputError(f"{path}, row {first}: it ends after {width} of {least} fields: correct the row")
    number, fields = next(((number, len(row)) for number, row in rows if len(row) > width), (0, 0))
    if number:
        raise InputError(f"{path}, row {number}: it has {fields} fields, the first row {width}: correct the row")


def refuse_short_row(path: Path) -> None:
    """Refuse the first row that ends before the last column that has a name; a blank line is no row."""
    rows = _rows(path)
    header = next(rows, (0, []))[1]
    width = max((place for place, name in enumerate(header, 1) if name), default=0)
    number, fields = next(((number, len(row)) for number, row in rows if 0 < len(row) < width), (0, 0))
    if number:
        raise InputError(f"{path}, row {number}: it ends after {fields} of {width} fields: correct the row")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of every row, as far as the file can be read."""
    with _readable(), _opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", errors="replace")
        yield from enumerate(csv.reader(text, delimiter=separator(path)), 1)


def _readable() -> suppress:
    """Return what ends the block where a file cannot be read any further."""
    return suppress(OSError, EOFError, zlib.error, csv.Error)


def _opened(path: Path) -> IO[bytes]:
    """Return the content of a file, unzipped."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"  # some programs unzip a file and leave it its name
    return cast(IO[bytes], gzip.open(path) if zipped else path.open("rb"))
