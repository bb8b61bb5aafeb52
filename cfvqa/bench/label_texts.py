"""What does it cost to encode the texts of the graph's nodes for every image, instead of once a batch?"""

import torch

from cfvqa.bench.figures import Figure, of_step
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import interleave, timed
from cfvqa.data.batches import Tokens
from cfvqa.models.coarse_to_fine import CoarseToFine
from cfvqa.models.nodes import GraphNodes


def label_texts(lab: Lab) -> list[Figure]:
    """Compare the step with one in which every image has the labels of the graph encoded by the text reader.

    That is what the published code does. Nothing of a reader without that graph.
    """
    loss = lab.loss(lab.last_phase)
    model = loss.module.model
    if not isinstance(model, CoarseToFine) or not isinstance(model.nodes, GraphNodes):
        return []
    batch = lab.inputs.pair_batch().to(lab.device)
    step, images = lab.step(loss, lab.last_phase), 2 * len(batch.has_reference)

    def with_encoding() -> None:
        for _ in range(images):
            encode_labels(model)
        step.take(batch)

    ways = {"once": step.timed(batch), "every image": timed(with_encoding)}
    rounds = interleave(ways, lab.repeats)
    return [
        Figure(
            measured="label texts: embedded once a batch, or encoded for every image",
            ours=f"{of_step(rounds.median('once'))} a step",
            other=f"{of_step(rounds.median('every image'))} a step, {images} images",
            ratio=rounds.ratio("every image", "once"),
            meaning="times as long",
            limit="the texts are the same for every image; what is left of them is one look-up a batch",
        )
    ]


@torch.no_grad()
def encode_labels(model: CoarseToFine) -> torch.Tensor:
    """Return the label texts (62, D) as the published code encodes them: their first state in the text reader."""
    labels = model.nodes.labels
    return model.text.encode(Tokens(labels.ids, labels.mask))[:, 0]
