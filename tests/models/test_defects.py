"""Defects of the published code that no other test has by its number, and those that cannot occur here.

| # | published | why it cannot occur here |
|---|---|---|
| 1 | undefined names stop every training | whole commands are run in tests/pipeline |
| 6 | what a step writes is not what the next reads | stages hand on their folders; tests/pipeline runs them in order |
| 20 | a name that fits no weight freezes nothing | nothing is frozen, but for the slow copies of BLIP (below) |
| 26 | BGR in one step, RGB in another | an image has one channel, and one reader of files (sources/image_files.py) |
| 27 | evaluation mode until an epoch ends; best never updated | Lightning switches modes and keeps the best |
| 48 | sentences and words drawn out of range | no sentence is drawn: a batch holds the answers of its rows, whole |
"""

import re
from functools import partial
from pathlib import Path

import pytest
import torch
from cases import EVERY, FULL, batch_of, model_of

import cfvqa
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.objectives.matching import Matching
from cfvqa.training.vqa_module import VqaModule

ALL = {
    "generation": Generation(),
    "coarse": Coarse(),
    "fine": Fine(),
    "matching": Matching(),
    "masked_language": MaskedLanguage(),
}


def test_defects_2_3_and_30_all_objectives_learn_together_and_each_counts_once(tokenizer):
    # Region and finding features are 8 and 6 wide, words 32: what is compared is projected to one width.
    model, batch = model_of(tokenizer, FULL), batch_of(tokenizer)
    weights = {name: 0.5 + number for number, name in enumerate(ALL)}
    module = VqaModule(
        model, objectives=ALL, weights=weights, optimizer=partial(torch.optim.SGD, lr=0.1), schedule=lambda *_: None
    )
    step = module.training_step(batch, 0)
    assert step["loss"].item() == pytest.approx(sum(weights[name] * step["losses"][name].item() for name in ALL))
    step["loss"].backward()
    used = [model.contrast, model.match, model.pair, model.nodes]
    assert all(any(p.grad is not None and p.grad.any() for p in part.parameters()) for part in used)


@pytest.mark.parametrize("block", EVERY.values(), ids=EVERY)
def test_defects_20_and_37_every_weight_learns_but_those_of_slow_copies(tokenizer, block):
    frozen = [name for name, weight in model_of(tokenizer, block).named_parameters() if not weight.requires_grad]
    assert all(name.startswith("momentum.") for name in frozen)


def test_defect_28_no_device_and_no_folder_of_a_machine_is_named_in_the_code():
    named = re.compile(r"""\.cuda\(\)|["']cuda:\d|["']/(home|data|mnt|root|Users)/""")
    files = sorted(Path(cfvqa.__file__).parent.rglob("*.py"))
    assert len(files) > 100
    assert not [file for file in files if named.search(file.read_text())]
