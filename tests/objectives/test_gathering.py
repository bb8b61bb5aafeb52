"""Two processes with half a batch each learn what one process learns from the whole."""

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.language.change_labels import label_changes
from cfvqa.language.grammar import parse_changes
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.objectives.changes import Changes
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.gathering import even_shares
from cfvqa.objectives.gloria import GloriaGlobal, GloriaLocal
from cfvqa.objectives.hard_matching import HardMatching
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.objectives.matching import Matching
from cfvqa.objectives.momentum_contrast import ImageTextContrast
from cfvqa.objectives.sparse_attention import SparseAttention
from cfvqa.settings.reader import Widths, build_model

ANSWERS = [
    "the main image has an additional finding of edema than the reference image.",
    "nothing has changed.",
    "the main image is missing the finding of hernia than the reference image.",
    "nothing has changed.",
    "yes",
]
IMAGES = [0, 0, 1, 3, 4]  # of the questions: two are about one pair
TEXT = {"pretrained": None, "transformer": {"width": 16, "layers": 1, "heads": 2, "dropout": 0.0, "max_length": 64}}
MODEL = {
    "network": {"_target_": "cfvqa.models.coarse_to_fine.CoarseToFine", "heads": 2, "dropout": 0.0},
}
GLORIA = {"network": {"_target_": "cfvqa.models.gloria.GLoRIA"}}
BLIP = {"network": {"_target_": "cfvqa.models.blip.BLIP", "heads": 2, "dropout": 0.0, "space": 8, "queue": 7}}
EKAID = {
    "network": {
        "_target_": "cfvqa.models.ekaid.EKAID",
        "width": 16,
        "inner": 24,
        "dropout": 0.0,
        "word_width": 12,
        "state_width": 20,
    }
}
SLOW = "contrast with slow copies"
HARD = "matching of hard ones"
OBJECTIVES = {
    "coarse": Coarse(),
    "fine": Fine(limit=4),
    "generation": Generation(smoothing=0.1),
    "generation of what is written": Generation(answers="written"),
    "matching": Matching(),
    "matching of four": Matching(limit=4),
    "matching on one rank": Matching(limit=1),
    "masked_language": MaskedLanguage(),
    "masked language, mixed": MaskedLanguage(instead="mixed"),
    "gloria_global": GloriaGlobal(),
    "gloria_local": GloriaLocal(limit=4),
    "changes": Changes(),
    SLOW: ImageTextContrast(warmup=2),
    HARD: HardMatching(),
    "sparse_attention": SparseAttention(),
}
RANKS = [[0, 1, 2], [3, 4]]
"""The questions of each rank."""
TAKING_PART = {"matching of four": [0, 2, 3, 4], "matching on one rank": [0]}
"""Of the five questions, where a limit is shared out among the ranks, of every pair one first; else all."""
SIAMESE = {"network": {"_target_": "cfvqa.models.siamese.Siamese", "dropout": 0.0}}
MODELS = {
    SLOW: BLIP,
    HARD: BLIP,
    "sparse_attention": EKAID,
    "changes": SIAMESE,
    "gloria_global": GLORIA,
    "gloria_local": GLORIA,
}


class Loss(nn.Module):
    def __init__(self, model, objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch):
        return self.objective(self.model, batch, self.model.read(batch))


def loss_of(name):
    tokenizer = AnswerTokenizer.train([*ANSWERS, *node_texts(), "what has changed?"])
    block = MODELS.get(name, MODEL)
    model = build_model(block, TEXT, tokenizer=tokenizer, widths=Widths(8, 6), seed=0)
    return Loss(model, OBJECTIVES[name]), tokenizer


def batch_of(tokenizer, rows):
    images = sorted({IMAGES[row] for row in rows})

    def tokens(texts, first):
        ids, mask = tokenizer.encode([texts[row] for row in rows], max_length=40, first=first)
        return Tokens(torch.from_numpy(ids), torch.from_numpy(mask))

    def features(seed):
        g = torch.Generator().manual_seed(seed)
        whole = ImageFeatures(
            region=torch.randn(5, 24, 8, generator=g),
            finding=torch.randn(5, 24, 6, generator=g),
            probability=torch.rand(5, 24, 38, generator=g),
            severity=torch.rand(5, 38, 2, generator=g),
            box=torch.rand(5, 24, 4, generator=g),
            score=torch.ones(5, 24),
        )
        return whole[torch.tensor(images)]

    answer = tokens(ANSWERS, "[DEC]")
    return PairBatch(
        main=features(0),
        reference=features(1),
        has_reference=torch.ones(len(images), dtype=torch.bool),
        unit=torch.tensor([images.index(IMAGES[row]) for row in rows]),
        question=tokens(["what has changed?"] * 5, "[ENC]"),
        answer=answer,
        wrong_answer=tokens(ANSWERS[1:] + ANSWERS[:1], "[DEC]"),
        keywords=tokens(ANSWERS, "[CLS]"),
        changes=torch.from_numpy(np.stack([label_changes(parse_changes(ANSWERS[row])) for row in rows])),
        row=torch.tensor(rows),
        draw=torch.rand(5, 40, generator=torch.Generator().manual_seed(2))[rows, : answer.ids.shape[1]],
    )


def step(name, loss, batch):
    """Return the loss, its gradients left behind; the queue of slow copies is filled by a step before."""
    for _ in range(2 if name == SLOW else 1):
        loss.zero_grad()
        torch.manual_seed(0)
        value = loss(batch)
        value.backward()
    return value.detach()


def learn(rank, folder):
    """Leave losses and gradients of a process that has a part of the batch."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for name in OBJECTIVES:
        loss, tokenizer = loss_of(name)
        parallel = DistributedDataParallel(loss, find_unused_parameters=True)
        value = step(name, parallel, batch_of(tokenizer, RANKS[rank]))
        gradients = {key: p.grad for key, p in loss.named_parameters() if p.grad is not None}
        left = {"loss": value, "gradients": gradients, "weights": loss.state_dict()}
        torch.save(left, f"{folder}/{name}-{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Folder in which two processes have left what they learned."""
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(learn, args=(str(folder),), nprocs=2)
    return folder


def learn_alone(name, loss, tokenizer):
    """Return the loss of one process, its gradients left behind."""
    if name != HARD:
        return step(name, loss, batch_of(tokenizer, TAKING_PART.get(name, range(5))))
    # Hard wrong ones are drawn among what a rank sees, so of each part alone; every question weighs the same.
    total = torch.zeros(())
    for rows in RANKS:
        torch.manual_seed(0)
        total = total + loss(batch_of(tokenizer, rows)) * len(rows) / 5
    total.backward()
    return total.detach()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_two_ranks_learn_what_one_process_learns(name, learned):
    parts = [torch.load(learned / f"{name}-{rank}.pt", weights_only=True) for rank in range(2)]
    loss, tokenizer = loss_of(name)
    whole = learn_alone(name, loss, tokenizer)
    assert sum(part["loss"] for part in parts) / 2 == pytest.approx(whole.item(), rel=1e-5)
    for key, parameter in loss.named_parameters():
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for part in parts:
            found = part["gradients"].get(key, torch.zeros_like(parameter))
            torch.testing.assert_close(
                found, expected, rtol=1e-4, atol=5e-6, msg=lambda text, key=key: f"{key}: {text}"
            )


@pytest.mark.parametrize(
    ("counts", "limit", "shares"),
    [([3, 2], 4, [2, 2]), ([9, 1, 9], 8, [3, 1, 4]), ([2, 2], 16, [2, 2]), ([5, 0], 3, [3, 0]), ([4, 4], 1, [0, 1])],
)
def test_every_rank_has_its_share_of_a_limit(counts, limit, shares):
    assert even_shares(counts, limit) == shares


def test_slow_copies_and_queue_are_those_of_one_process_on_every_rank(learned):
    loss, tokenizer = loss_of(SLOW)
    step(SLOW, loss, batch_of(tokenizer, range(5)))
    expected = loss.model.momentum.state_dict()
    assert int(expected["written"]) == 10  # around a queue of 7
    for rank in range(2):
        found = torch.load(learned / f"{SLOW}-{rank}.pt", weights_only=True)["weights"]
        for name, value in expected.items():
            torch.testing.assert_close(found[f"model.momentum.{name}"], value, rtol=1e-5, atol=1e-6)
