"""A reader without any error: what the labels of two images say has changed between them.

It is asked what a control asks the model. With a reference image of another subject, what is new in the main image
stays new beside most others, so that even this reader keeps some of its score: no model can be expected to lose more.
"""

from collections.abc import Iterable, Mapping

import polars as pl

from cfvqa.language.grammar import changes_between, parse_changes, write_changes
from cfvqa.vocabulary.findings import NODE_OF_ANSWER

Levels = dict[str, str | None]


def names_of_nodes(answers: Iterable[str]) -> dict[str, str]:
    """Return node of the knowledge graph -> the name that answers to difference questions give it.

    Nodes that have two names in them are left out: a label does not say which one was meant.
    """
    named = {change.finding for answer in answers for change in parse_changes(answer) or ()}
    nodes = [NODE_OF_ANSWER[name] for name in named if name in NODE_OF_ANSWER]
    return {NODE_OF_ANSWER[name]: name for name in named if nodes.count(NODE_OF_ANSWER.get(name, "")) == 1}


def answers_of_labels(questions: pl.DataFrame, findings: pl.DataFrame, names: dict[str, str]) -> list[str] | None:
    """Return what the labels answer to difference questions; None where none of their images is labelled as a whole.

    Args:
        questions: difference questions, with the images that are shown.
        findings: the findings table.
        names: of `names_of_nodes`.
    """
    shown = pl.concat([questions["main_image"], questions["reference_image"].cast(pl.String)])
    whole = findings.filter(pl.col("region").is_null() & pl.col("image_id").is_in(shown.implode()))
    if not len(whole):
        return None
    present = whole.filter(pl.col("presence") == "yes")
    found: dict[str, Levels] = {}
    for image, node, level in present.select("image_id", "finding", "level").iter_rows():
        if node in names:
            found.setdefault(image, {})[names[node]] = level
    return answers_between(questions, found)


def answers_between(questions: pl.DataFrame, found: Mapping[str, Levels]) -> list[str]:
    """Return what findings, by image, say has changed between the images of difference questions."""
    shown = questions.select("main_image", "reference_image").iter_rows()
    return [write_changes(changes_between(found.get(main, {}), found.get(other, {}))) for main, other in shown]
