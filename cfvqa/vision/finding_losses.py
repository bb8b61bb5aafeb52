"""Losses of a finding classifier: labels of regions, labels of whole images, and levels."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import ImageBatch
from cfvqa.vision.outputs import FindingOutput


def masked_bce(logit: Tensor, label: Tensor) -> Tensor:
    """Return the mean binary cross-entropy over the entries whose label is 0 or 1 (-1: unknown); 0 if none."""
    known = (label >= 0).float()
    loss = F.binary_cross_entropy_with_logits(logit, label.clamp(min=0).float(), reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


def pool_regions(logit: Tensor, sharpness: float = 4.0) -> Tensor:
    """Pool region logits (B, R, F) into image logits (B, F): a smooth maximum over the regions.

    log-mean-exp of `sharpness` * logit, over `sharpness` (multiple-instance pooling of Pinheiro and
    Collobert, CVPR 2015): one region with a finding is enough, and all regions learn of it.
    """
    count = torch.log(torch.tensor(float(logit.shape[1]), device=logit.device))
    return (torch.logsumexp(logit * sharpness, dim=1) - count) / sharpness


def pool_severity(output: FindingOutput) -> Tensor:
    """Return severity logits of the image (B, F, 2), read where the finding is most likely."""
    weight = output.logit.detach().softmax(dim=1).unsqueeze(-1)
    return (output.severity * weight).sum(1)


def abnormality(region_finding: Tensor) -> Tensor:
    """Return whether regions (B, R) are abnormal (1) or normal (0), from their findings (B, R, F).

    -1, unknown, where no finding is there and one of them is unknown: it may be.
    """
    least, most = region_finding.aminmax(dim=-1)
    return torch.where(most > 0, most, least).long()


def finding_losses(output: FindingOutput, batch: ImageBatch, located: Tensor | None = None) -> dict[str, Tensor]:
    """Return the losses of regions, images, abnormality and severity; unknown labels weigh nothing.

    Args:
        output: of the classifier.
        batch: what is known of the images.
        located: (B, R, F) labels of regions with those that boxes of findings give (see `locating`); None where the
            batch has all. They tell nothing of the other findings of a region, so that it may be abnormal or not.
    """
    image_logit = pool_regions(output.logit)
    abnormal = abnormality(batch.region_finding)
    threshold = torch.tensor([2, 3], device=batch.severity.device)
    graded = batch.severity.unsqueeze(-1)  # (B, F, 1)
    severity = torch.where(graded > 0, (graded >= threshold).long(), -1)
    if (abnormal >= 0).any():
        abnormal_loss = F.cross_entropy(output.abnormal.flatten(0, 1), abnormal.flatten(), ignore_index=-1)
    else:
        abnormal_loss = output.abnormal.sum() * 0
    return {
        "region": 10 * masked_bce(output.logit, batch.region_finding if located is None else located),
        "image": 2 * masked_bce(image_logit, batch.image_finding),
        "abnormal": 0.2 * abnormal_loss,
        "severity": 0.5 * masked_bce(pool_severity(output), severity),
    }
