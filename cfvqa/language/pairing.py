"""Which earlier study a study is compared with."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

ChooseReference = Callable[[Sequence[str], Collection[str], np.random.Generator], str | None]
"""Chooses the reference of a study.

Its arguments are all other studies of the subject that have a report, those of them that are frontal and earlier, and
what draws; it returns None where the study is not asked about.
"""


def any_earlier(others: Sequence[str], fitting: Collection[str], rng: np.random.Generator) -> str | None:
    """Choose one of the fitting studies, each as likely."""
    return _first_fitting(others, fitting, rng)[0]


def published_choice(others: Sequence[str], fitting: Collection[str], rng: np.random.Generator) -> str | None:
    """Choose as the published program does: it gives up where the first fitting study comes last of all others.

    So it asks nothing about a subject with two studies.
    """
    chosen, place = _first_fitting(others, fitting, rng)
    return None if place == len(others) - 1 else chosen


def _first_fitting(
    others: Sequence[str], fitting: Collection[str], rng: np.random.Generator
) -> tuple[str | None, int | None]:
    """Return the first fitting study in a drawn order, and its place in it."""
    order = (others[place] for place in rng.permutation(len(others)))
    return next(((study, place) for place, study in enumerate(order) if study in fitting), (None, None))
