import polars as pl

from cfvqa.data.pair_sets import PairSet, PairSettings
from cfvqa.language.grammar import flip_answer

ADDED = "the main image has an additional finding of edema than the reference image."
UNREADABLE = "nothing of note."
COLUMNS = ["question_id", "main_image", "reference_image", "question_type", "question", "answer"]


class Store:
    """Stands for the features, which no sample reads."""

    def missing(self, image_ids):
        return []


def samples(*, swap, training=True, epoch=0, pairs=40):
    rows = []
    for pair in range(pairs):
        main, reference = f"m{pair}", f"r{pair}"
        rows += [
            (f"{pair}d", main, reference, "difference", "what has changed?", ADDED),
            (f"{pair}u", main, reference, "difference", "what has changed?", UNREADABLE),
            (f"{pair}p", main, reference, "presence", "is there edema?", "yes"),
            (f"{pair}s", main, None, "presence", "is there edema?", "yes"),
        ]
    questions = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    pair_set = PairSet(
        questions, store=Store(), tokenizer=None, settings=PairSettings(swap=swap, seed=3), training=training
    )
    pair_set.begin_epoch(epoch)
    return [pair_set[row] for row in range(len(pair_set))]


def test_only_difference_questions_whose_answer_can_be_turned_are_swapped():
    turned, unreadable, presence, single = (samples(swap=1.0)[kind::4] for kind in range(4))
    assert {(s.main[0], s.reference[0], s.answer) for s in turned} == {("r", "m", flip_answer(ADDED))}
    assert {(s.main[0], s.reference[0], s.answer) for s in unreadable} == {("m", "r", UNREADABLE)}
    assert {(s.main[0], s.reference[0], s.answer) for s in presence} == {("m", "r", "yes")}
    assert {(s.main[0], s.reference) for s in single} == {("m", None)}


def test_swaps_are_drawn_by_pair_and_epoch_in_training_alone():
    first, again, later = (samples(swap=0.5, epoch=epoch) for epoch in (1, 1, 2))
    assert first == again != later
    assert 8 < sum(s.main[0] == "r" for s in first) < 32
    for swap, training in ((0.0, True), (1.0, False)):
        assert all(s.main[0] == "m" for s in samples(swap=swap, training=training))
