"""How much faster are answers written together, with the keys and values of their words kept?"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from cfvqa.bench.figures import Figure
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave, timed
from cfvqa.data.batches import PairBatch
from cfvqa.settings.building import plain
from cfvqa.settings.schema import words_of

_ALONE = 2  # answers written one by one: the more, the longer the same figure takes


def answers(lab: Lab) -> list[Figure]:
    """Compare writing a batch of answers with writing them one by one, every word from the start again."""
    model, rows = lab.reader().eval(), lab.inputs.pairs()[: lab.inputs.units]
    batch = lab.inputs.batch(rows).to(lab.device)
    length = batch.answer.ids.shape[1] - 1  # behind the first token
    decoding = words_of(plain(lab.config.evaluation.decoding))
    decoding |= {"max_new_tokens": length, "min_new_tokens": length}
    single = [lab.inputs.batch([row]).to(lab.device) for row in rows[:_ALONE]]
    ways = {
        "together": _rate(model, [batch], decoding),
        "alone": _rate(model, single, decoding | {"use_cache": False}),
    }
    rounds = interleave(ways, lab.repeats)
    return [
        Figure(
            measured=f"answers of {length} tokens, beam {decoding['num_beams']}: {len(rows)} together, or one by one"
            f"{'' if hasattr(model.text, 'step') else ' without a cache'}",
            ours=f"{rounds.median('together'):.2f} answers/s",
            other=f"{rounds.median('alone'):.2f} answers/s",
            ratio=rounds.ratio("together", "alone"),
            meaning="times as many",
            limit="a word of all answers is a pass over all weights, one word after the other",
        )
    ]


def _rate(model: nn.Module, batches: Sequence[PairBatch], decoding: dict[str, Any]) -> Callable[[], float]:
    """Return a measure of answers a second."""
    count = sum(len(batch.unit) for batch in batches)

    def write() -> None:
        with torch.inference_mode():
            for batch in batches:
                reading = model.read(batch)
                model.text.generate(reading.memory, reading.memory_mask, **decoding)

    seconds = timed(write)
    return lambda: count / seconds()
