"""The contract of the tables, checked: what every later stage may rely on."""

import polars as pl

from cfvqa.errors import InputError, quoted
from cfvqa.language.questions import DIFFERENCE, QUESTION_TYPES
from cfvqa.sources.order import reversed_pairs
from cfvqa.sources.splits import SPLITS
from cfvqa.sources.tables import PRESENCES, SCHEMAS, VIEWS, Tables
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS
from cfvqa.vocabulary.regions import REGIONS

_NULLABLE = {("findings", "region"), ("findings", "level"), ("questions", "reference_image")}
_KEYS = {
    "images": ["image_id"],
    "regions": ["image_id", "region"],
    "findings": ["image_id", "region", "finding"],
    "questions": ["question_id"],
    "finding_boxes": ["image_id", "finding", "x1", "y1", "x2", "y2"],
}
_ALLOWED: dict[tuple[str, str], tuple[str, ...]] = {
    ("images", "view"): VIEWS,
    ("images", "split"): SPLITS,
    ("regions", "region"): REGIONS,
    ("findings", "region"): REGIONS,
    ("findings", "finding"): FINDINGS,
    ("findings", "presence"): PRESENCES,
    ("findings", "level"): LEVEL_WORDS,
    ("finding_boxes", "finding"): FINDINGS,
    ("questions", "question_type"): QUESTION_TYPES,
    ("questions", "split"): SPLITS,
}
_REFERENCES = (
    ("regions", "image_id"),
    ("findings", "image_id"),
    ("finding_boxes", "image_id"),
    ("questions", "main_image"),
    ("questions", "reference_image"),
)


def validate(tables: Tables) -> Tables:
    """Return the tables if they keep the contract.

    Raises:
        InputError: naming table, row and key, for the first thing that is wrong.
    """
    for name, schema in SCHEMAS.items():
        _check_columns(name, getattr(tables, name), list(schema))
    for name in ("images", "questions"):
        if not len(getattr(tables, name)):
            raise InputError(f"table {name} of source '{tables.source}' is empty: check source.root and limit")
    for name, keys in _KEYS.items():
        _check_unique(name, getattr(tables, name), keys)
    for (name, column), allowed in _ALLOWED.items():
        _check_values(name, getattr(tables, name), column, allowed)
    for name, column in _REFERENCES:
        _check_known(name, getattr(tables, name)[column], tables.images["image_id"])
    for name, shown in (("regions", "region"), ("finding_boxes", "finding")):
        _check_boxes(name, getattr(tables, name), shown, tables.images)
    _check_readers(tables.finding_boxes)
    _check_pairs(tables)
    _check_splits(tables)
    return tables


def _check_columns(name: str, table: pl.DataFrame, columns: list[str]) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise InputError(f"table {name}: column '{missing[0]}' is missing; it needs {', '.join(columns)}")
    for column in columns:
        if (name, column) not in _NULLABLE and table[column].null_count():
            row = int(table[column].is_null().arg_true()[0])
            raise InputError(f"table {name}, row {row}: {column} has no value; fill it or remove the row")


def _check_unique(name: str, table: pl.DataFrame, keys: list[str]) -> None:
    doubled = table.select(keys).filter(pl.struct(keys).is_duplicated())
    if len(doubled):
        values = ", ".join(str(value) for value in doubled.row(0))
        raise InputError(
            f"table {name}: {' + '.join(keys)} '{values}' occurs more than once, but rows are unique: remove one"
        )


def _check_values(name: str, table: pl.DataFrame, column: str, allowed: tuple[str, ...]) -> None:
    wrong = table.with_row_index("row").filter(~pl.col(column).is_in(list(allowed)))
    if len(wrong):
        row, value = wrong["row"][0], wrong[column][0]
        shown = ", ".join(allowed[:8]) + (", ..." if len(allowed) > 8 else "")
        raise InputError(f"table {name}, row {row}: {column} '{value}' is unknown; expected one of {shown}")


def _check_known(name: str, values: pl.Series, image_ids: pl.Series) -> None:
    strange = values.drop_nulls().filter(~values.drop_nulls().is_in(image_ids.implode()))
    if len(strange):
        raise InputError(
            f"table {name}: {values.name} '{strange[0]}' is not in table images; add the image or remove its rows"
        )


def _check_boxes(name: str, boxes: pl.DataFrame, shown: str, images: pl.DataFrame) -> None:
    if (wrong := misplaced(boxes, shown, images)) is not None:
        raise InputError(f"table {name}: {wrong[1]}")


def misplaced(boxes: pl.DataFrame, shown: str, images: pl.DataFrame) -> tuple[int, str] | None:
    """Return the row of the first box that is empty or leaves its image, from 0, and what to say of it.

    Args:
        boxes: image_id, x1, y1, x2, y2 and the column `shown`; those of other images do not count.
        shown: column that says what a box is of.
        images: image_id, width, height.
    """
    joined = boxes.with_row_index("row").join(
        images.select("image_id", "width", "height"), on="image_id", maintain_order="left"
    )
    inside = (
        (pl.col("x1") >= 0)
        & (pl.col("y1") >= 0)
        & (pl.col("x2") <= pl.col("width"))
        & (pl.col("y2") <= pl.col("height"))
        & (pl.col("x2") > pl.col("x1"))
        & (pl.col("y2") > pl.col("y1"))
    )
    wrong = joined.filter(~inside)
    if not len(wrong):
        return None
    first = wrong.row(0, named=True)
    box = f"({first['x1']:g}, {first['y1']:g}, {first['x2']:g}, {first['y2']:g})"
    return first["row"], (
        f"the box {box} of {shown} '{first[shown]}' of image '{first['image_id']}' is empty "
        f"or leaves the image of {first['width']} x {first['height']} pixels: correct it or remove its row"
    )


def _check_readers(boxes: pl.DataFrame) -> None:
    drawn_by_nobody = boxes.filter(pl.col("readers") < 1)
    if len(drawn_by_nobody):
        row = drawn_by_nobody.row(0, named=True)
        raise InputError(
            f"table finding_boxes: the box of finding '{row['finding']}' of image '{row['image_id']}' has "
            f"{row['readers']} readers: give how many drew it, or remove its row"
        )


def _check_pairs(tables: Tables) -> None:
    questions = tables.questions
    subject = dict(zip(tables.images["image_id"], tables.images["subject_id"], strict=True))
    main = questions["main_image"].replace_strict(subject, return_dtype=pl.String)
    reference = questions["reference_image"].replace_strict(subject, default=None, return_dtype=pl.String)
    same_subject = (questions["subject_id"] == main) & (reference.is_null() | (questions["subject_id"] == reference))
    difference = questions["question_type"] == DIFFERENCE
    itself = (questions["main_image"] == questions["reference_image"]).fill_null(value=False)
    for wrong, what in (
        (~same_subject, "is about images of another subject: correct subject_id or the images"),
        (difference & questions["reference_image"].is_null(), "is a difference question: give its reference_image"),
        (itself, "compares an image with itself: correct reference_image"),
        (
            reversed_pairs(questions, tables.images),
            "has its main study before its reference study: exchange the images, and reverse the answer",
        ),
    ):
        if wrong.any():
            first = questions.filter(wrong).row(0, named=True)
            raise InputError(
                f"question '{first['question_id']}' of subject '{first['subject_id']}', main image "
                f"'{first['main_image']}', reference image {quoted(first['reference_image'])}: it {what} "
                f"({int(wrong.sum())} such questions)"
            )


def _check_splits(tables: Tables) -> None:
    for split in SPLITS:
        if not (tables.questions["split"] == split).any():
            raise InputError(
                f"split '{split}' of source '{tables.source}' has no question: "
                "use more subjects (limit), another source.split or source.split_seed"
            )
