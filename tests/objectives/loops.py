"""What loops over objectives share: a text model whose states are given, and the losses as a pencil finds them."""

import math
from dataclasses import dataclass, field

import torch
from torch.nn.functional import cosine_similarity

from cfvqa.data.batches import Tokens
from cfvqa.models.writing import SpecialIds

WIDTH = 4
SPECIAL = SpecialIds(pad=0, sep=1, mask=2, dec=3, cls=4, enc=5, specials=(0, 1, 2, 3), content=())


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tokens(rows):
    ids = torch.tensor(rows)
    return Tokens(ids, ids != 0)


@dataclass
class GivenText:
    """A state of its own for each word, whatever stands beside it."""

    special: SpecialIds = SPECIAL
    table: torch.Tensor = field(default_factory=lambda: random(12, WIDTH, seed=0))

    def word_embeddings(self, ids):
        return self.table[ids]

    def encode(self, text):
        return self.word_embeddings(text.ids)

    def words(self, row):
        """Return the states of the words of a text."""
        return [self.table[word] for word in row if word > 3]


def slow_look(said, places):
    """Return the local score of words (a list) against places (a list): sharpness 4, emphasis 5."""
    seen = [place / place.norm() for place in places]
    total = 0.0
    for word in said:
        word = word / word.norm()
        share = torch.tensor([4 * (word @ place).item() for place in seen]).softmax(0)
        context = sum(weight * place for weight, place in zip(share, seen, strict=True))
        total += math.exp(5 * cosine_similarity(word, context, dim=0).item())
    return math.log(total / len(said)) / 5


def slow_loss(score, positive, scale=10):
    """Cross-entropy both ways of a list of lists, spread over several positives."""
    count, total = len(score), 0.0
    for matrix, right in ((score, positive), ([*zip(*score, strict=True)], [*zip(*positive, strict=True)])):
        for row, own in zip(matrix, right, strict=True):
            below = math.log(sum(math.exp(scale * value) for value in row))
            costs = [below - scale * value for value, is_own in zip(row, own, strict=True) if is_own]
            total += sum(costs) / len(costs) / (2 * count)
    return total
