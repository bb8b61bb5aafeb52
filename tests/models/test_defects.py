"""Defects of the published code that no other test has by its number, and the one that cannot occur here.

| # | published | why it cannot occur here |
|---|---|---|
| 48 | sentences and words drawn out of range | no sentence is drawn: a batch holds the answers of its rows, whole |
"""

import re
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from cases import EVERY, FULL, batch_of, model_of
from PIL import Image

import cfvqa
from cfvqa.data.image_data import ImageData, ImageDataSettings
from cfvqa.data.image_sets import ImageSet, unlabelled
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.objectives.matching import Matching
from cfvqa.sources.tables import SCHEMAS, Tables
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
def test_defects_20_and_37_no_weight_is_frozen_but_those_of_slow_copies(tokenizer, block):
    frozen = [name for name, weight in model_of(tokenizer, block).named_parameters() if not weight.requires_grad]
    assert all(name.startswith("momentum.") for name in frozen)


SPLITS = ("train", "val", "test")


def tables_of_one_image(folder):
    """Return tables of one coloured image file, which all splits have."""
    pixels = np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "one.png")
    rows = {
        "images": [(split, "s", "p", 1, "PA", "one.png", 60, 50, split) for split in SPLITS],
        "regions": [(split, "left lung", 5, 5, 30, 40) for split in SPLITS],
        "findings": [(split, None, "hernia", "yes", None) for split in SPLITS],
        "questions": [],
    }
    tables = {name: pl.DataFrame(given, schema=SCHEMAS[name], orient="row") for name, given in rows.items()}
    return Tables(**tables, source="one", version="1", licence="none", root=folder)


def test_defect_26_detector_classifier_and_extraction_see_the_same_pixels_of_a_file(tmp_path):
    tables, frames = tables_of_one_image(tmp_path), []
    for needs in ("boxes", "findings"):
        data = ImageData(tables, ImageDataSettings(image_size=64, batch_size=1), needs=needs)
        data.setup()
        frames += [next(iter(loader())).image for loader in (data.train_dataloader, data.val_dataloader)]
    alone = ImageSet(unlabelled([tmp_path / "one.png"]), size=64)
    frames.append(alone.collate([alone[0]]).image)
    assert frames[0].float().std() > 10
    assert all(torch.equal(frame, frames[0]) for frame in frames)


def test_each_of_the_48_defects_has_a_test_by_its_number_or_a_reason_above():
    tests = "".join(file.read_text() for file in Path(__file__).parents[1].rglob("test_*.py"))
    named = {
        int(number)
        for run in re.findall(r"defects?((?:_\d+b?|_and_\d+)+)", tests)
        for number in re.findall(r"\d+", run)
    }
    excused = {int(number) for number in re.findall(r"^\| (\d+) \|", __doc__, re.MULTILINE)}
    assert named | excused == set(range(1, 49))


def test_defect_28_no_device_and_no_folder_of_a_machine_is_named_in_the_code():
    named = re.compile(r"""\.cuda\(\)|["']cuda:\d|["']/(home|data|mnt|root|Users)/""")
    files = sorted(Path(cfvqa.__file__).parent.rglob("*.py"))
    assert len(files) > 100
    assert not [file for file in files if named.search(file.read_text())]
