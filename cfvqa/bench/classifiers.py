"""One pass of a shared trunk over an image, or a whole network over each of its 24 regions?"""

from collections.abc import Callable

import torch
from torch import Tensor

from cfvqa.bench.figures import Figure
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave, timed
from cfvqa.vision.outputs import FindingClassifier
from cfvqa.vision.region_crops import RegionCrops
from cfvqa.vision.shared_trunk import SharedTrunk
from cfvqa.vision.trunk import Trunk
from cfvqa.vocabulary.regions import REGIONS

_TOGETHER = 4  # images in a pass of the trunk


def classifiers(lab: Lab) -> list[Figure]:
    """Compare the two kinds of finding classifiers, both at their own default sizes, on frames of the config."""
    trunk, crops = SharedTrunk(trunk=Trunk(), channels=128), RegionCrops()
    size = int(lab.config.image_size)
    ways = {
        "trunk": images_a_second(trunk, _TOGETHER, size, lab.device),
        "crops": images_a_second(crops, 1, size, lab.device),
    }
    rounds = interleave(ways, lab.repeats)
    return [
        Figure(
            measured=f"finding classifier, frames of {size} pixels: one pass with RoIAlign, or {len(REGIONS)} crops of "
            f"{crops.crop} pixels through a ResNet-101",
            ours=f"{rounds.median('trunk'):.2f} images/s",
            other=f"{rounds.median('crops'):.2f} images/s",
            ratio=rounds.ratio("trunk", "crops"),
            meaning="times as many",
            limit="24 overlapping crops are more pixels than the frame, and the trunk is a much smaller network",
        )
    ]


def images_a_second(network: FindingClassifier, count: int, size: int, device: torch.device) -> Callable[[], float]:
    """Return a measure of the images a second that a classifier judges, `count` at once, frames of `size` pixels."""
    assert isinstance(network, torch.nn.Module)
    network = network.to(device, memory_format=torch.channels_last).eval()
    image, box = _frames(count, size)
    image, box = image.to(device), box.to(device)

    def judge() -> None:
        with torch.inference_mode():
            network.classify(image, box)

    seconds = timed(judge)
    return lambda: count / seconds()


def _frames(count: int, size: int) -> tuple[Tensor, Tensor]:
    """Draw frames (B, 1, S, S) uint8 and the boxes (B, R, 4) of their regions."""
    draw = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (count, 1, size, size), dtype=torch.uint8, generator=draw)
    corner = torch.rand(count, len(REGIONS), 2, generator=draw) * size / 2
    return image, torch.cat([corner, corner + size / 3], dim=-1)
