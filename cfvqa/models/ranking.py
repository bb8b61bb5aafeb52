"""Ranking a closed list of answers with any model that says which token comes next.

The score of an answer is the plain log-probability of its tokens, the end among them: the probability that the model
writes just this answer. It is not divided by the length: every candidate is a whole answer with its end, and a mean
over tokens would favour long ones, whose words mostly follow from those before.
"""

import torch
from torch import Tensor

from cfvqa.data.batches import Tokens
from cfvqa.models.writing import Writer, mean_probability

_READ = 128  # sequences that are read at once


@torch.no_grad()
def rank(writer: Writer, answers: Tokens, memory: Tensor, memory_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each question the most probable of a list of answers: that of reading all, with less reading.

    No word makes a text more probable, so that what an answer shares with one that was read, and the next word, bound
    its probability from above. The candidate of the highest bound is read next, until the highest is one that was
    read: a prefix cuts those alone that cannot win.

    Args:
        writer: says which token comes next.
        answers: (A, T), begin with [DEC], end with [SEP]; no two are equal.
        memory: (Q, N, D), what the writer writes from.
        memory_mask: (Q, N) bool.

    Returns:
        Ids (Q, T - 1) that begin behind [DEC], and scores (Q,): the mean probability of the tokens, as of `write`.
    """
    bound = torch.zeros(len(memory), len(answers.ids), device=memory.device)
    known = torch.zeros_like(bound, dtype=torch.bool)
    while True:
        best = bound.argmax(1)
        left = (~known.gather(1, best.unsqueeze(1))).squeeze(1).nonzero().squeeze(1)
        if not len(left):
            break
        for rows in left.split(_READ):
            total, limit = _read(writer, answers, best[rows], memory[rows], memory_mask[rows])
            bound[rows] = torch.where(known[rows], bound[rows], torch.minimum(bound[rows], limit))
            bound[rows, best[rows]], known[rows, best[rows]] = total, True
    ids = answers.ids[best, 1:]
    return ids, mean_probability(writer, ids, memory, memory_mask)


def _read(
    writer: Writer, answers: Tokens, chosen: Tensor, memory: Tensor, memory_mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities (P,) of the answers chosen (P,), and bounds (P, A) of all answers by them."""
    ids, mask = answers.ids[chosen], answers.mask[chosen]
    length = int(mask.sum(1).max())
    ids, mask = ids[:, :length], mask[:, :length]
    log = writer.next_token_logits(Tokens(ids, mask), memory, memory_mask).float().log_softmax(-1)
    own = log[:, :-1].gather(2, ids[:, 1:].unsqueeze(2)).squeeze(2) * mask[:, 1:]
    so_far = torch.cat([torch.zeros_like(own[:, :1]), own.cumsum(1)], dim=1)  # of the first tokens
    alike = (ids.unsqueeze(1) == answers.ids[:, :length]) & mask.unsqueeze(1) & answers.mask[:, :length]
    shared = alike.cumprod(2).sum(2).clamp(max=length - 1)  # tokens, the first among them: at least 1
    row = torch.arange(len(chosen), device=ids.device).unsqueeze(1)
    following = answers.ids[torch.arange(len(answers.ids), device=ids.device), shared]
    return so_far[:, -1], so_far.gather(1, shared - 1) + log[row, shared - 1, following]
