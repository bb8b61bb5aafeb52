"""Does decoding cost nothing, where it overlaps the networks of an extraction?"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cfvqa.bench.figures import Figure
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave, timed
from cfvqa.data.image_sets import ImageSet, unlabelled
from cfvqa.data.loaders import loader_of_rows
from cfvqa.processes import cores
from cfvqa.stages.vision import for_inference
from cfvqa.training.extraction import ExtractionModule
from cfvqa.vision.region_queries import RegionQueries
from cfvqa.vision.shared_trunk import SharedTrunk
from cfvqa.vision.trunk import Trunk

_IMAGES, _TOGETHER = 16, 2
_LARGER = 2.5  # side of a file against that of its frame: those of MIMIC-CXR have some 2,500 x 3,000 pixels


def extraction(lab: Lab) -> list[Figure]:
    """Compare an extraction that decodes beside the networks with one that decodes between the batches.

    The networks are of the small kinds, at their own default sizes: beside the others, decoding is nothing.
    """
    size = int(lab.config.image_size)
    images = ImageSet(unlabelled(_written(lab.folder / "radiographs", size)), size=size, cache_gib=0)
    module = ExtractionModule(
        for_inference(RegionQueries(trunk=Trunk(), channels=128, width=128)),
        for_inference(SharedTrunk(trunk=Trunk(), channels=128)),
        images,
    ).to(lab.device)
    decoded = list(_batches(images, 0))

    def through(batches: Callable[[], Any]) -> Callable[[], None]:
        def work() -> None:
            with torch.inference_mode():
                for batch in batches():
                    module.predict_step(batch.to(lab.device), 0)

        return work

    work = {
        "networks": through(lambda: decoded),
        "decoding": lambda: list(_batches(images, 0)),
        "between": through(lambda: _batches(images, 0)),
        "beside": through(lambda: _batches(images, 1)),
    }
    rounds = interleave({name: _images_a_second(part) for name, part in work.items()}, lab.repeats)
    return [
        Figure(
            measured=f"extraction, frames of {size} pixels from files {_LARGER} times as large: decoding in a process "
            "beside the networks (extraction.workers=1), or between their batches (0)",
            ours=f"{rounds.median('beside'):.2f} images/s",
            other=f"{rounds.median('between'):.2f} images/s; networks alone {rounds.median('networks'):.2f}, decoding "
            f"alone {rounds.median('decoding'):.2f}",
            ratio=rounds.ratio("beside", "between"),
            meaning="times as many",
            limit=f"{_limit(lab.device)}. The process starts once an extraction, here for {_IMAGES} images",
        )
    ]


def _limit(device: torch.device) -> str:
    if device.type == "cuda":
        return "the GPU waits for one process that decodes: extraction.workers takes more of them"
    return f"networks on the processor take all {cores()} cores, and decoding its share of them either way"


def _images_a_second(work: Callable[[], object]) -> Callable[[], float]:
    """Return a measure of the images a second of a pass over all."""
    seconds = timed(work)
    return lambda: _IMAGES / seconds()


def _batches(images: ImageSet, workers: int) -> Iterator[Any]:
    return iter(loader_of_rows(images, range(_IMAGES), batch_size=_TOGETHER, workers=workers))


def _written(folder: Path, size: int) -> list[Path]:
    """Write radiographs that nobody took: as large and about as hard to decode as real ones."""
    folder.mkdir(exist_ok=True)
    draw, side = np.random.default_rng(0), round(_LARGER * size)
    paths = [folder / f"{number}.jpg" for number in range(_IMAGES)]
    for path in paths:
        coarse = Image.fromarray(draw.integers(0, 256, (side // 8, side // 8), dtype=np.uint8))
        coarse.resize((side, side)).save(path)
    return paths
