"""A table of texts as files: CSV for programs, Markdown for people, LaTeX for papers."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cfvqa.files import write_text

_LATEX = {letter: rf"\{letter}" for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name.csv` and `name.md` into a folder that is there; return the two files."""
    table, page = folder / f"{name}.csv", folder / f"{name}.md"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(table, text.getvalue())
    lines = [header, ["---"] * len(header), *rows]
    write_text(page, "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in lines))
    return table, page


def write_latex(header: Sequence[str], rows: Sequence[Sequence[str]], folder: Path, name: str) -> Path:
    """Write `name.tex` into a folder that is there: a `tabular` with the rules of the package booktabs."""
    page = folder / f"{name}.tex"
    first, *others = (" & ".join(map(_latex, row)) + r" \\" for row in [header, *rows])
    columns = "l" + "r" * (len(header) - 1)
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        first,
        r"\midrule",
        *others,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    write_text(page, "\n".join(lines) + "\n")
    return page


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
