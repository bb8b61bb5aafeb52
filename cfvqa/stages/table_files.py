"""A table of texts as files: CSV for programs, Markdown for people."""

import csv
from collections.abc import Sequence
from pathlib import Path


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name.csv` and `name.md` into a folder, made if need be; return the two files."""
    folder.mkdir(parents=True, exist_ok=True)
    table, page = folder / f"{name}.csv", folder / f"{name}.md"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    lines = [header, ["---"] * len(header), *rows]
    page.write_text("".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in lines))
    return table, page
