"""Models, and a batch of two questions: about a pair, and about a single image."""

from dataclasses import fields

import numpy as np
import torch

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.language.change_labels import label_changes
from cfvqa.language.grammar import parse_changes
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.settings.reader import Widths, build_model

ANSWERS = ["yes", "the main image has an additional finding of edema than the reference image."]
TEXT = {"pretrained": None, "transformer": {"width": 32, "layers": 1, "heads": 2, "dropout": 0.0, "max_length": 64}}


def network(name, **arguments):
    return {"network": {"_target_": f"cfvqa.models.{name}", **arguments}}


SMALL = {"width": 16, "inner": 24, "dropout": 0.0}
FULL = network("coarse_to_fine.CoarseToFine", heads=2, dropout=0.0)
BLIND = network("question_only.QuestionOnly")
JOINT = network("mccformers.MCCFormers", encoder="joint", **SMALL)
CROSSED = network("mccformers.MCCFormers", encoder="crossed", **SMALL)
EKAID = network("ekaid.EKAID", word_width=12, state_width=20, **SMALL)
SIAMESE = network("siamese.Siamese", dropout=0.0)
GLORIA = network("gloria.GLoRIA")
BLIP = network("blip.BLIP", heads=2, dropout=0.0, space=8, queue=16)
SEEING = {
    "full": FULL,
    "mccformers_s": JOINT,
    "mccformers_d": CROSSED,
    "ekaid": EKAID,
    "gloria": GLORIA,
    "blip": BLIP,
    "siamese": SIAMESE,
}
EVERY = SEEING | {"question_only": BLIND}


def new_tokenizer():
    return AnswerTokenizer.train([*ANSWERS, *node_texts(), "is there edema?"])


def features(count, seed):
    g = torch.Generator().manual_seed(seed)
    corner = 200 * torch.rand(count, 24, 2, generator=g)
    return ImageFeatures(
        region=torch.randn(count, 24, 8, generator=g),
        finding=torch.randn(count, 24, 6, generator=g),
        probability=torch.rand(count, 24, 38, generator=g),
        severity=torch.rand(count, 38, 2, generator=g),
        box=torch.cat([corner, corner + 10 + 90 * torch.rand(count, 24, 2, generator=g)], dim=-1),
        score=torch.ones(count, 24),
    )


def batch_of(tokenizer, *, padding=0):
    def tokens(texts, first):
        ids, mask = (torch.from_numpy(part) for part in tokenizer.encode(texts, max_length=40, first=first))
        pad = torch.nn.functional.pad
        return Tokens(pad(ids, (0, padding)), pad(mask, (0, padding)))

    answer = tokens(ANSWERS[::-1], "[DEC]")
    return PairBatch(
        main=features(2, 0),
        reference=features(2, 1),
        has_reference=torch.tensor([True, False]),
        unit=torch.tensor([0, 1]),
        question=tokens(["what has changed compared to the reference image?", "is there edema?"], "[ENC]"),
        answer=answer,
        wrong_answer=tokens(ANSWERS, "[DEC]"),
        keywords=tokens(["additional edema.", "yes"], "[CLS]"),
        changes=torch.from_numpy(np.stack([label_changes(parse_changes(ANSWERS[1])), label_changes(None)])),
        row=torch.tensor([0, 1]),
        draw=torch.rand(2, 40 + padding, generator=torch.Generator().manual_seed(1))[:, : answer.ids.shape[1]],
    )


def model_of(tokenizer, block=FULL, text=TEXT):
    return build_model(block, text, tokenizer=tokenizer, widths=Widths(8, 6), seed=0).eval()


def one_of(batch, row):
    """Return a batch of one of the two questions, about its unit alone."""
    parts = {field.name: getattr(batch, field.name) for field in fields(PairBatch)}
    some = torch.tensor([row])
    cut = {name: Tokens(p.ids[some], p.mask[some]) if isinstance(p, Tokens) else p[some] for name, p in parts.items()}
    return PairBatch(**cut | {"unit": torch.tensor([0])})
