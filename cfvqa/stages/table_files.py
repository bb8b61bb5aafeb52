"""A table of texts as files: CSV for programs, Markdown for people."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cfvqa.files import write_text


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name.csv` and `name.md` into a folder, made if need be; return the two files."""
    folder.mkdir(parents=True, exist_ok=True)
    table, page = folder / f"{name}.csv", folder / f"{name}.md"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(table, text.getvalue())
    lines = [header, ["---"] * len(header), *rows]
    write_text(page, "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in lines))
    return table, page
