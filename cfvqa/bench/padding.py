"""What would batches of answers of like length save?"""

from collections.abc import Sequence

import numpy as np

from cfvqa.bench.figures import Figure, of_step
from cfvqa.bench.inputs import Inputs
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave, timed
from cfvqa.data.batches import PairBatch

_BATCHES = 4


def padding(lab: Lab) -> list[Figure]:
    """Compare steps over the same questions in random batches, as the loader makes them, and sorted by length."""
    rows = lab.inputs.pairs()[: _BATCHES * lab.inputs.units]  # drawn at random: their order is one
    chosen, by_length = _batches(lab, rows), _batches(lab, sorted_by_length(lab.inputs, rows))
    step = lab.step(lab.loss(lab.last_phase), lab.last_phase)

    def over(batches: Sequence[PairBatch]) -> None:
        for batch in batches:
            step.take(batch)

    ways = {"random": timed(lambda: over(chosen)), "sorted": timed(lambda: over(by_length))}
    rounds = interleave(ways, lab.repeats)
    return [
        Figure(
            measured=f"difference questions in random batches, or sorted by length of answer ({_BATCHES} batches)",
            ours=f"{of_step(rounds.median('random') / _BATCHES)} a step, {padding_share(chosen):.0%} padding",
            other=f"{of_step(rounds.median('sorted') / _BATCHES)} a step, {padding_share(by_length):.0%} padding",
            ratio=rounds.ratio("sorted", "random"),
            meaning="times as long",
            limit="only the writer sees the length of answers; most of a step encodes images",
        )
    ]


def sorted_by_length(inputs: Inputs, rows: Sequence[int]) -> list[int]:
    """Return the rows in the order of the tokens in their answers."""
    _, mask = inputs.tokenizer.encode(
        inputs.questions["answer"][list(rows)].to_list(), max_length=inputs.settings.answer_length
    )
    return [rows[place] for place in np.argsort(mask.sum(1), kind="stable")]


def padding_share(batches: Sequence[PairBatch]) -> float:
    """Return the share of padding in all positions of answers."""
    filled = sum(int(batch.answer.mask.sum()) for batch in batches)
    return 1 - filled / sum(batch.answer.mask.numel() for batch in batches)


def _batches(lab: Lab, rows: Sequence[int]) -> list[PairBatch]:
    size = lab.inputs.units
    return [lab.inputs.batch(rows[start : start + size]).to(lab.device) for start in range(0, len(rows), size)]
