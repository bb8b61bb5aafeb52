"""The data card: what a data set holds, counted from its tables, as a page of Markdown without an identifier."""

from collections.abc import Sequence

import polars as pl

from cfvqa.language.grammar import ChangeKind, parse_changes
from cfvqa.language.questions import DIFFERENCE, QUESTION_TYPES
from cfvqa.sources.leakage import Divided, Leakage
from cfvqa.sources.splits import SPLITS
from cfvqa.sources.tables import PRESENCES, Tables


def data_card(tables: Tables, leaks: Leakage) -> str:
    """Return the card of a data set."""
    parts = [
        f"# Data card: {tables.source} {tables.version}",
        f"Licence: {tables.licence}.",
        *(f"Known: {caveat}" for caveat in tables.caveats),
        "## Splits",
        _table(["", *SPLITS, "all"], _sizes(tables)),
        "Questions by type:",
        _table(["", *SPLITS, "all"], [_by_split(kind, rows) for kind, rows in _of_types(tables.questions)]),
        f"Questions on two sides of the split are about {_parts_of(leaks.asked)}. Radiographs that are there twice: "
        f"{leaks.doubled}.",
        "Detector and classifier learn from all radiographs of their side, also where nothing is asked: with these, "
        f"{_parts_of(leaks.learned)} are on two sides.",
        "## Changes",
        _table(["difference questions whose answer", *SPLITS, "all"], _changes(tables.questions)),
        "## Findings",
        f"Of {len(tables.images)} radiographs, {tables.findings['image_id'].n_unique()} have labels, "
        f"{tables.regions['image_id'].n_unique()} boxes of regions, "
        f"{tables.finding_boxes['image_id'].n_unique()} boxes of findings.",
        "A finding is called by its node of the graph, which may be narrower than what was said: 'spinal fracture' "
        "holds any fracture, 'calcified nodule' any calcification, 'airspace opacity' pneumonia too.",
        _table(["radiographs with the finding", *PRESENCES, "boxes"], _findings(tables)),
        "## Left out",
        _table(["reason", "rows"], [[reason, str(count)] for reason, count in tables.skipped.items()] or [["-", "0"]]),
    ]
    return "\n\n".join(parts) + "\n"


def _parts_of(sides: Divided) -> str:
    return f"{sides.subjects} subjects, {sides.studies} studies, {sides.images} radiographs (or of equal content)"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _by_split(name: str, rows: pl.DataFrame, key: str | list[str] | None = None) -> list[str]:
    """Return a line of a table: how many rows, or different keys of them, each split has, and all have."""
    parts = [rows.filter(pl.col("split") == split) for split in SPLITS]
    return [name, *(str(len(part) if key is None else part.select(key).n_unique()) for part in (*parts, rows))]


def _sizes(tables: Tables) -> list[list[str]]:
    pairs = tables.questions.drop_nulls("reference_image")
    return [
        _by_split("subjects", tables.images, "subject_id"),
        _by_split("studies", tables.images, "study_id"),
        _by_split("radiographs", tables.images),
        *(_by_split(f"{view} view", tables.images.filter(pl.col("view") == view)) for view in _views(tables.images)),
        _by_split("pairs", pairs, ["main_image", "reference_image"]),
        _by_split("questions", tables.questions),
    ]


def _views(images: pl.DataFrame) -> list[str]:
    return images["view"].unique().sort().to_list()


def _of_types(questions: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    rows = [(kind, questions.filter(pl.col("question_type") == kind)) for kind in QUESTION_TYPES]
    return [(kind, some) for kind, some in rows if len(some)]


def _changes(questions: pl.DataFrame) -> list[list[str]]:
    """Return how many answers name an addition, a loss, another level, nothing, or follow no grammar."""
    asked = questions.filter(pl.col("question_type") == DIFFERENCE)
    said = [_said(answer) for answer in asked["answer"]]
    asked = asked.with_columns(pl.Series("said", said, dtype=pl.List(pl.String)))
    names = {
        "names an added finding": ChangeKind.ADDED.value,
        "names a removed finding": ChangeKind.REMOVED.value,
        "names another level": ChangeKind.LEVEL.value,
        "says that nothing has changed": "nothing",
        "does not follow the grammar": "unparsed",
    }
    return [_by_split(name, asked.filter(pl.col("said").list.contains(kind))) for name, kind in names.items()]


def _said(answer: str) -> list[str]:
    changes = parse_changes(answer)
    if changes is None:
        return ["unparsed"]
    return sorted({change.kind.value for change in changes}) or ["nothing"]


def _findings(tables: Tables) -> list[list[str]]:
    """Return each finding, most frequent first, with the radiographs in which it is present, absent or uncertain.

    A radiograph counts once a presence, however many of its regions have it. Last comes the number of its boxes.
    """
    counted = tables.findings.unique(["image_id", "finding", "presence"]).group_by("finding", "presence").len()
    boxes = dict(tables.finding_boxes.group_by("finding").len().iter_rows())
    wide = {name: dict.fromkeys(PRESENCES, 0) for name in [*counted["finding"], *boxes]}
    for finding, presence, count in counted.iter_rows():
        wide[finding][presence] = count
    order = sorted(wide, key=lambda name: (-wide[name]["yes"], name))
    return [[name, *(str(wide[name][presence]) for presence in PRESENCES), str(boxes.get(name, 0))] for name in order]
