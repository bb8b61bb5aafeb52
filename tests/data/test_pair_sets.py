import numpy as np
import polars as pl
import torch

from cfvqa.data.loaders import EpochLoader
from cfvqa.data.pair_sets import PairSet, PairSettings
from cfvqa.data.sampling import EpochBatches
from cfvqa.language.grammar import flip_answer
from cfvqa.language.tokenizer import AnswerTokenizer

ADDED = "the main image has an additional finding of edema than the reference image."
UNREADABLE = "nothing of note."
COLUMNS = ["question_id", "main_image", "reference_image", "question_type", "question", "answer"]


class Store:
    """Stands for the features, which no sample reads, and which are the ids themselves in a batch."""

    def missing(self, image_ids):
        return []

    def read(self, image_ids):
        return np.array(image_ids)


def samples(**given):
    pair_set = questions(**given)
    return [pair_set[row] for row in range(len(pair_set))]


def questions(*, swap, training=True, epoch=0, pairs=40, store=None, tokenizer=None):
    rows = []
    for pair in range(pairs):
        main, reference = f"m{pair}", f"r{pair}"
        rows += [
            (f"{pair}d", main, reference, "difference", "what has changed?", ADDED),
            (f"{pair}u", main, reference, "difference", "what has changed?", UNREADABLE),
            (f"{pair}p", main, reference, "presence", "is there edema?", "yes"),
            (f"{pair}s", main, None, "presence", "is there edema?", "yes"),
        ]
    table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    pair_set = PairSet(
        table, store=store or Store(), tokenizer=tokenizer, settings=PairSettings(swap=swap, seed=3), training=training
    )
    pair_set.begin_epoch(epoch)
    return pair_set


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


def test_masks_follow_from_the_question_and_the_epoch_whatever_else_is_in_the_batch():
    tokenizer, drawn = AnswerTokenizer.train([ADDED, "is there edema?", "yes"]), {}
    for epoch, rows in ((0, [0, 2]), (0, [2]), (1, [2])):
        pair_set = questions(swap=0.0, epoch=epoch, pairs=1, tokenizer=tokenizer)
        drawn[epoch, len(rows)] = pair_set.collate([pair_set[row] for row in rows]).draw[-1]
    shown = len(drawn[0, 1])  # tokens of the shorter answer
    assert torch.equal(drawn[0, 2][:shown], drawn[0, 1])
    assert not torch.equal(drawn[0, 1], drawn[1, 1])


def loaded(workers):
    """Return the samples of every batch of two epochs."""
    pair_set, epochs = questions(swap=0.5), []
    batches = EpochBatches(pair_set.units(), groups_per_batch=4, seed=1, on_epoch=pair_set.begin_epoch)
    loader = EpochLoader(pair_set, batches, collate=list, workers=workers)
    for epoch in range(2):
        batches.set_epoch(epoch)
        epochs.append(list(loader))
    return epochs


def test_what_is_drawn_for_a_sample_does_not_depend_on_how_many_processes_load():
    first, second = loaded(workers=0)
    assert [first, second] == loaded(workers=2)
    assert first != second


def test_defect_11_a_sample_is_about_its_own_row_whatever_the_epoch():
    for epoch in (0, 5):
        for number, sample in enumerate(samples(swap=0.0, epoch=epoch)):
            pair, kind = divmod(number, 4)
            assert (sample.row, sample.main) == (number, f"m{pair}")
            assert sample.question == ("is there edema?" if kind > 1 else "what has changed?")
            assert sample.answer == (ADDED, UNREADABLE, "yes", "yes")[kind]


def test_defect_12_nothing_but_its_words_tells_a_wrong_answer_from_the_right_one():
    tokenizer = AnswerTokenizer.train([ADDED, UNREADABLE, "yes", "no"])
    pair_set = questions(swap=0.5, tokenizer=tokenizer)
    batch = pair_set.collate([pair_set[row] for row in range(len(pair_set))])
    assert torch.equal(batch.answer.ids[:, 0], batch.wrong_answer.ids[:, 0])
    for text in (batch.answer, batch.wrong_answer):
        assert torch.equal((text.ids == tokenizer.id_of("[SEP]")).sum(1), torch.ones(len(text.ids), dtype=torch.int64))
        assert torch.equal(text.mask, text.ids != tokenizer.id_of("[PAD]"))


def test_each_image_of_a_batch_is_read_once_and_an_absent_reference_not_at_all():
    read = []

    class Counting(Store):
        def read(self, image_ids):
            read.append(image_ids)
            return super().read(image_ids)

    tokenizer = AnswerTokenizer.train([ADDED, "is there edema?", "yes"])
    pair_set = questions(swap=0.0, store=Counting(), tokenizer=tokenizer)
    some = [pair_set[row] for row in range(len(pair_set))]
    batch = pair_set.collate(some)
    assert sorted(read[0]) == sorted({image for s in some for image in (s.main, s.reference) if image is not None})
    for unit, sample in zip(batch.unit.tolist(), some, strict=True):
        assert batch.main[unit] == sample.main
        assert batch.reference[unit] == (sample.reference or sample.main)
