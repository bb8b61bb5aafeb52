"""Generation that is kept to the grammar of answers to difference questions, of some rows of a batch."""

import pytest
import torch
from cases import FULL, batch_of, model_of

from cfvqa.language.constraint import AnswerConstraint
from cfvqa.models.constrained import FollowGrammar


def written(tokenizer, beams, kept=None):
    model, batch = model_of(tokenizer, FULL), batch_of(tokenizer)
    processors = [] if kept is None else [FollowGrammar(AnswerConstraint(tokenizer), kept)]
    with torch.inference_mode():
        reading = model.read(batch)
        ids, _ = model.text.generate(
            reading.memory, reading.memory_mask, num_beams=beams, max_new_tokens=30, logits_processor=processors
        )
    return ids


@pytest.mark.parametrize("beams", [1, 3])
def test_rows_that_are_kept_follow_the_grammar_and_the_others_are_free(tokenizer, beams):
    free = written(tokenizer, beams)
    kept = [row % 2 == 0 for row in range(len(free))]
    ids, constraint = written(tokenizer, beams, kept), AnswerConstraint(tokenizer)
    assert constraint.begin()
    for row, keep in enumerate(kept):
        if keep:
            ways = constraint.begin()
            for token in ids[row].tolist():
                if ways:
                    assert token in {way.ids[0] for way in ways}
                    ways = constraint.forward(ways, token)
                else:
                    assert token == tokenizer.id_of("[PAD]")
        else:
            length = min(free.shape[1], ids.shape[1])
            assert torch.equal(ids[row, :length], free[row, :length])
