"""95 % bootstrap intervals that draw whole subjects: the questions of one patient are not independent."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""Maps sums (draws, K) to figures (draws,)."""

PERCENTILES = (2.5, 97.5)


class SubjectBootstrap:
    """Draws of subjects with replacement, shared by all figures of one set of questions.

    A draw is how often each of S subjects was taken, so that resampled sums are one matrix product.

    Attributes:
        weights: (draws, S) how often a draw takes a subject; each row sums to S.
    """

    def __init__(self, subjects: Sequence[str], *, draws: int, seed: int | np.random.Generator) -> None:
        """Draw the subjects of N questions, given in the order of the questions; a generator goes on drawing."""
        names, self._rows = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
        count = len(names)
        shares = np.full(count, 1.0 / max(1, count))
        generator = np.random.default_rng(seed)
        self.weights = generator.multinomial(count, shares, size=draws) if count else np.zeros((draws, 0))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return (draws, K) the resampled sums of per-question values (N, K)."""
        by_subject = np.zeros((self.weights.shape[1], values.shape[1]))
        np.add.at(by_subject, self._rows, values)
        return self.weights @ by_subject

    def interval(self, values: np.ndarray, statistic: Statistic) -> list[float]:
        """Return [low, high] of a figure computed from sums of per-question values (N, K).

        Draws in which the figure is not defined are left out; NaN when it never is.
        """
        return bounds(statistic(self.sums(values)))

    def samples(self) -> Iterator[np.ndarray]:
        """Yield, for each draw, the questions (M,) that it takes, for figures that are no ratio of sums."""
        for weights in self.weights:
            yield np.repeat(np.arange(len(self._rows)), weights[self._rows])

    def question_weights(self) -> np.ndarray:
        """Return (draws, N) how often each draw takes each question."""
        return self.weights[:, self._rows]

    def mean(self, values: np.ndarray) -> list[float]:
        """Return [low, high] of the mean of per-question values (N,)."""
        return self.interval(np.column_stack([values, np.ones(len(values))]), ratio)


def mean(values: np.ndarray) -> float:
    """Return the mean of values (N,); NaN of none."""
    return float(values.mean()) if len(values) else float("nan")


def bounds(figures: np.ndarray) -> list[float]:
    """Return [low, high] of drawn figures; those that are not defined are left out, NaN when none is."""
    figures = figures[np.isfinite(figures)]
    if not len(figures):
        return [float("nan"), float("nan")]
    return [float(bound) for bound in np.percentile(figures, PERCENTILES)]


def ratio(sums: np.ndarray) -> np.ndarray:
    """Return the first column over the second; NaN where that is 0."""
    return divide(sums[..., 0], sums[..., 1])


def precision(sums: np.ndarray) -> np.ndarray:
    """Return the precision of true positives, false positives, false negatives (..., 3)."""
    return divide(sums[..., 0], sums[..., 0] + sums[..., 1])


def recall(sums: np.ndarray) -> np.ndarray:
    """Return the recall of true positives, false positives, false negatives (..., 3)."""
    return divide(sums[..., 0], sums[..., 0] + sums[..., 2])


def f1(sums: np.ndarray) -> np.ndarray:
    """Return the F1 of true positives, false positives, false negatives (..., 3)."""
    return divide(2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """Return the mean F1 of the counts of F findings, those of `f1` one behind the other (..., 3 F).

    Findings without any true one are left out; NaN where none has one.
    """
    counts = sums.reshape(*sums.shape[:-1], sums.shape[-1] // 3, 3)
    supported = counts[..., 0] + counts[..., 2] > 0
    return divide(np.where(supported, f1(counts), 0).sum(-1), supported.sum(-1))


def divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return above / below, NaN where below is 0."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0)
