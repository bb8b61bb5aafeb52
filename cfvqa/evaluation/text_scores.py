"""Text scores of answers: BLEU, METEOR, ROUGE-L and CIDEr of pycocoevalcap, and exact matches."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from types import TracebackType

import numpy as np
from pycocoevalcap.bleu.bleu_scorer import BleuScorer
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from cfvqa.errors import InputError
from cfvqa.evaluation.java import Meteor, ptb_tokenize

FIGURES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider", "exact_match")
"""The figures of `TextScores`, in the order in which papers print them."""

_PUNCTUATION = re.compile(r"[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class ItemScores:
    """What intervals need of every answer (N answers).

    Attributes:
        bleu: (N, 10) n-gram matches (orders 1 to 4), n-grams offered (1 to 4), length, reference length.
        meteor: (N, K) the counts that corpus METEOR adds up (see `TextScorer.meteor_of_sums`).
        rouge_l, cider, exact_match: (N,) score of each answer; their means are the group's figures.
    """

    bleu: np.ndarray
    meteor: np.ndarray
    rouge_l: np.ndarray
    cider: np.ndarray
    exact_match: np.ndarray


@dataclass(frozen=True, slots=True)
class TextScores:
    """Text scores of a group of answers: all in 0 to 1, but CIDEr in 0 to 10. NaN for a group of none."""

    n: int
    bleu_1: float
    bleu_2: float
    bleu_3: float
    bleu_4: float
    meteor: float
    rouge_l: float
    cider: float
    exact_match: float
    items: ItemScores = field(repr=False, compare=False)

    def figures(self) -> dict[str, float]:
        """Return n and the scores by name, without the arrays."""
        return {"n": self.n} | {name: getattr(self, name) for name in FIGURES}


class TextScorer:
    """Scores groups of answers with one tokenizer run a batch and one METEOR process for its lifetime.

    Use it as a context manager, so that the Java process ends with the block.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._meteor: Meteor | None = None

    def __enter__(self) -> "TextScorer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the METEOR process; the next score starts another."""
        if self._meteor is not None:
            self._meteor.close()
            self._meteor = None

    def tokenize(self, texts: Iterable[str]) -> list[str]:
        """Return the PTB tokens of each text. New texts share one run of the tokenizer, known ones cost nothing."""
        texts = list(texts)
        new = list(dict.fromkeys(text for text in texts if text not in self._tokens))
        self._tokens |= dict(zip(new, ptb_tokenize(new), strict=True))
        return [self._tokens[text] for text in texts]

    def score(self, references: Sequence[str], predictions: Sequence[str]) -> TextScores:
        """Score predictions against one reference each.

        CIDEr takes its document frequencies from the references given, so a group must be scored as a whole.
        """
        if len(references) != len(predictions):
            raise InputError(f"{len(references)} references for {len(predictions)} predictions: give one for each.")
        if not references:
            return _no_scores()
        tokens = self.tokenize([*references, *predictions])
        truths, answers = tokens[: len(references)], tokens[len(references) :]
        exact = exact_matches(references, predictions)
        bleu = bleu_counts(truths, answers)
        groups = _as_groups(truths), _as_groups(answers)
        meteor = self._started().statistics(truths, answers)
        rouge, rouge_items = Rouge().compute_score(*groups)
        cider = cider_of(truths, answers)
        items = ItemScores(bleu, meteor, np.asarray(rouge_items), cider, exact)
        bleus = (float(value) for value in bleu_of_counts(bleu.sum(axis=0)))
        [whole] = self.meteor_of_sums(meteor.sum(axis=0, keepdims=True)).tolist()
        return TextScores(len(truths), *bleus, whole, float(rouge), float(cider.mean()), float(exact.mean()), items)

    def meteor_of_sums(self, sums: np.ndarray) -> np.ndarray:
        """Return METEOR (draws,) of summed counts (draws, K), as in `ItemScores.meteor`."""
        return self._started().of_sums(sums)

    def _started(self) -> Meteor:
        if self._meteor is None:
            self._meteor = Meteor()
        return self._meteor


def exact_matches(references: Sequence[str], predictions: Sequence[str]) -> np.ndarray:
    """Return (N,) 1.0 where two texts are the same but for case, white space and punctuation, else 0.0."""
    pairs = zip(references, predictions, strict=True)
    return np.array([_normalised(truth) == _normalised(answer) for truth, answer in pairs], dtype=np.float64)


def cider_of(truths: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """Return (N,) the CIDEr of tokenised answers; document frequencies are those of the truths."""
    if not any(truths):
        return np.zeros(len(truths))
    _, items = Cider().compute_score(_as_groups(truths), _as_groups(answers))
    return np.asarray(items, dtype=np.float64)


def bleu_counts(truths: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """Return (N, 10) the counts that corpus BLEU adds up, as in `ItemScores.bleu`, of tokenised texts."""
    scorer = BleuScorer(n=4)
    for truth, answer in zip(truths, answers, strict=True):
        scorer += (answer, [truth])
    rows = [[*c["correct"], *c["guess"], c["testlen"], min(c["reflen"])] for c in scorer.ctest]
    return np.array(rows, dtype=np.float64).reshape(-1, 10)


def bleu_of_counts(counts: np.ndarray) -> np.ndarray:
    """Return (..., 4) BLEU-1 to BLEU-4 of summed counts (..., 10), with pycocoevalcap's smoothing constants."""
    correct, guess = counts[..., :4], counts[..., 4:8]
    precision = (correct + 1e-15) / (guess + 1e-9)
    geometric = np.exp(np.cumsum(np.log(precision), axis=-1) / np.arange(1, 5))
    ratio = (counts[..., 8] + 1e-15) / (counts[..., 9] + 1e-9)
    # An empty corpus has a ratio near 0, whose penalty underflows to 0 as it should.
    with np.errstate(over="ignore"):
        penalty = np.exp(np.minimum(0.0, 1.0 - 1.0 / np.maximum(ratio, 1e-300)))
    return geometric * penalty[..., None]


def scorers() -> dict[str, dict[str, str]]:
    """Return name, version and scale of each scorer, for the file of figures."""
    package = f"pycocoevalcap {version('pycocoevalcap')}"
    ranges = dict.fromkeys(("bleu", "meteor", "rouge_l", "exact_match"), "0 to 1") | {"cider": "0 to 10"}
    names = {
        "bleu": ("BLEU-1 to BLEU-4, corpus level, PTB tokens", package),
        "meteor": ("METEOR 1.5 (jar, English, -norm)", package),
        "rouge_l": ("ROUGE-L, beta 1.2, mean over answers", package),
        "cider": ("CIDEr, document frequencies of the scored references", package),
        "exact_match": ("equal but for case, white space and punctuation", f"cfvqa {version('cfvqa')}"),
    }
    return {key: {"name": name, "version": by, "scale": ranges[key]} for key, (name, by) in names.items()}


def _normalised(text: str) -> str:
    return " ".join(_PUNCTUATION.sub(" ", text.casefold()).split())


def _as_groups(texts: Sequence[str]) -> dict[int, list[str]]:
    return {index: [text] for index, text in enumerate(texts)}


def _no_scores() -> TextScores:
    empty = np.zeros(0)
    return TextScores(
        0, *[float("nan")] * len(FIGURES), ItemScores(np.zeros((0, 10)), empty[:, None], empty, empty, empty)
    )
