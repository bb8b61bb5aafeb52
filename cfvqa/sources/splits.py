"""Who belongs to training, validation and test."""

import hashlib

import polars as pl

SPLITS = ("train", "val", "test")
FRACTIONS = (0.8, 0.1, 0.1)
"""Of the subjects, in each."""


def subject_split(subject_ids: pl.Series, *, seed: int, fractions: tuple[float, float, float] = FRACTIONS) -> pl.Series:
    """Return the split of every subject: a hash of (seed, subject), so adding subjects moves nobody."""
    unique = subject_ids.unique().to_list()
    split_of = {subject: _split_of(subject, seed, fractions) for subject in unique}
    return subject_ids.replace_strict(split_of, return_dtype=pl.String)


def held_out_split(subject_ids: pl.Series, test: pl.Series, *, seed: int) -> pl.Series:
    """Return the split where a data set names its test rows: of the others, an eighth is hashed to validation."""
    rest = subject_split(subject_ids, seed=seed, fractions=(0.875, 0.125, 0.0))
    return pl.Series(["test"]).new_from_index(0, len(rest)).zip_with(test, rest)


def _split_of(subject: str, seed: int, fractions: tuple[float, float, float]) -> str:
    digest = hashlib.sha256(f"{seed}:{subject}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if place < fractions[0] else "val" if place < fractions[0] + fractions[1] else "test"


def training_share(splits: pl.Series) -> float:
    """Return which share of rows trains."""
    return (splits == "train").sum() / max(1, len(splits))


def paper_split(count: int) -> pl.Series:
    """Return the published split of `count` rows: the first 80 %, the next 10 %, the rest, in row order."""
    first, second = -(-count * 8 // 10), -(-count * 9 // 10)
    names = ["train"] * first + ["val"] * (second - first) + ["test"] * (count - second)
    return pl.Series("split", names, dtype=pl.String)


def first_subjects(subject_ids: pl.Series, limit: int) -> pl.Series:
    """Return the first subjects by id, each once: those of a dry run."""
    return subject_ids.unique().sort().head(limit)


def of_first_subjects(images: pl.DataFrame, limit: int | None) -> pl.DataFrame:
    """Return the rows of the first subjects by id; all where there is no limit."""
    if limit is None:
        return images
    return images.filter(pl.col("subject_id").is_in(first_subjects(images["subject_id"], limit).implode()))


DIVIDED = "subject on two sides of the split"
"""What is counted where a split divides subjects."""


def on_two_sides(table: pl.DataFrame, key: str) -> pl.Series:
    """Return the values of a column that occur in more than one split, in their order."""
    sides = table.group_by(key).agg(pl.col("split").n_unique())
    return sides.filter(pl.col("split") > 1)[key].sort()
