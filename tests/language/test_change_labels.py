import numpy as np
from change_strategies import change_sets
from hypothesis import given

from cfvqa.language.change_labels import UNKNOWN, changes_of_labels, label_changes
from cfvqa.language.grammar import Change, ChangeKind, flip_changes
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS


def of_one_word(changes):
    return {c for c in changes if c.before is None or {c.before, c.after} <= set(LEVEL_WORDS)}


@given(change_sets())
def test_labels_say_what_the_changes_say(changes):
    changes = of_one_word(changes)
    assert set(changes_of_labels(label_changes(changes))) == changes


@given(change_sets())
def test_exchanged_images_exchange_added_and_removed_and_the_levels(changes):
    there, back = label_changes(of_one_word(changes)), label_changes(flip_changes(of_one_word(changes)))
    kind = there[:, 0]
    assert np.array_equal(back[:, 0], np.select([kind == 1, kind == 2], [2, 1], kind))
    assert np.array_equal(back[:, 1:], there[:, :0:-1])


def test_without_an_answer_nothing_is_known_and_without_a_change_every_finding_is():
    assert (label_changes(None) == UNKNOWN).all()
    assert label_changes([])[:, 0].tolist() == [0] * len(ANSWER_FINDINGS)


def test_a_level_of_several_words_is_unknown():
    labels = label_changes([Change("edema", ChangeKind.LEVEL, "mild moderate", "severe")])
    row = labels[ANSWER_FINDINGS.index("edema")]
    assert row.tolist() == [3, UNKNOWN, LEVEL_WORDS.index("severe")]
