"""Clinical scores of difference questions: are the changes that an answer reports the true ones?

Text scores reward the template: an answer with every change reversed keeps most of its BLEU. Here truth and
answer are parsed back into sets of changes (a finding added, removed, or of another level) and compared.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from cfvqa.evaluation.intervals import f1, macro_f1, precision, ratio, recall
from cfvqa.language.grammar import Change, ChangeKind, parse_changes

Changes = frozenset[Change]
NO_CHANGE = "none"


@dataclass(frozen=True, slots=True)
class FindingScores:
    """Scores of the changes of one finding; n is how many of them are true. NaN where not defined."""

    n: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class ChangeScores:
    """Scores of the answers to difference questions, micro-averaged over changes. NaN where not defined.

    Where nothing has changed, a right answer adds no true positive: there is no change to find. It counts in
    `unchanged_accuracy`, and a change invented there is a false positive.

    Attributes:
        n: questions whose true answer the grammar parses; the others are in no figure here.
        precision, recall, f1: over all changes; a change is right if finding, kind and levels all are.
        macro_f1: mean F1 over the findings that change at least once in truth.
        direction_accuracy: of the findings that truth and answer both call added or removed, the share
            that goes the right way.
        level_accuracy: of the true changes of level, the share answered with the same finding and levels.
        unchanged_accuracy: of the questions where nothing has changed, the share answered so.
        unparsed: answers that the grammar does not parse; they count as answers without any change, and so lower recall
            and F1 and never precision: read that beside this number.
        unparsed_truth: questions left out, as their true answer does not parse.
        hallucinated_per_100: findings named in 100 answers that have not changed; of the answers that parse, as
            nobody knows what the others name. NaN where none parses.
        confusion: true kind of change (added, removed, level, none) -> answered kind -> findings.
        by_finding: scores of each finding named in truth or answers.
    """

    n: int
    precision: float
    recall: float
    f1: float
    macro_f1: float
    direction_accuracy: float
    level_accuracy: float
    unchanged_accuracy: float
    unparsed: int
    unparsed_truth: int
    hallucinated_per_100: float
    confusion: dict[str, dict[str, int]]
    by_finding: dict[str, FindingScores]

    def figures(self) -> dict[str, object]:
        """Return the scores as plain dictionaries."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """Counts of every question (N questions), so that any figure is a ratio of sums.

    A question whose true answer does not parse counts nothing anywhere: there is nothing to compare with.

    Attributes:
        found: (N, 3) true positives, false positives, false negatives.
        direction: (N, 2) findings with the right direction, findings that both call added or removed.
        level: (N, 2) true changes of level that were answered, all true changes of level.
        unchanged: (N, 2) one where "nothing has changed" was answered rightly, one where it is true.
        unparsed: (N,) true where the answer did not parse, to a question whose true answer does.
        unparsed_truth: (N,) true where the true answer did not parse.
        hallucinated: (N, 2) findings that were answered and have not changed, in hundredths of an answer; one where the
            answer parses.
        confusion: true kind of change -> answered kind -> findings over all questions.
        by_finding: finding named in truth or answers -> (N, 3) its true positives, false positives, false negatives.
    """

    found: np.ndarray
    direction: np.ndarray
    level: np.ndarray
    unchanged: np.ndarray
    unparsed: np.ndarray
    unparsed_truth: np.ndarray
    hallucinated: np.ndarray
    confusion: dict[str, dict[str, int]]
    by_finding: dict[str, np.ndarray]

    @property
    def of_findings(self) -> np.ndarray:
        """The counts (N, 3 F) of all F findings, one behind the other."""
        return np.concatenate([np.zeros((len(self.found), 0)), *self.by_finding.values()], axis=1)


def count_changes(predictions: pl.DataFrame) -> ChangeCounts:
    """Count right, wrong and missing changes of difference questions (a table of predictions)."""
    rows = predictions.select("answer", "prediction").iter_rows()
    parsed = [(parse_changes(truth), parse_changes(answer)) for truth, answer in rows]
    known = [truth is not None for truth, _ in parsed]
    pairs = [(truth or frozenset(), (truth is not None and answer) or frozenset()) for truth, answer in parsed]
    return ChangeCounts(
        found=_rows([_found(truth, answer) for truth, answer in pairs], 3),
        direction=_rows([_direction(truth, answer) for truth, answer in pairs], 2),
        level=_rows([_level(truth, answer) for truth, answer in pairs], 2),
        unchanged=_rows([(truth == answer == frozenset(), truth == frozenset()) for truth, answer in parsed], 2),
        unparsed=np.array([truth is not None and answer is None for truth, answer in parsed], dtype=bool),
        unparsed_truth=~np.array(known, dtype=bool),
        hallucinated=_rows([_invented(truth, answer) for truth, answer in parsed], 2),
        confusion=_confusion(pairs),
        by_finding=_by_finding(pairs),
    )


def score_changes(counts: ChangeCounts) -> ChangeScores:
    """Return the scores that the counts of all questions add up to."""
    found = counts.found.sum(axis=0)
    return ChangeScores(
        n=int((~counts.unparsed_truth).sum()),
        precision=float(precision(found)),
        recall=float(recall(found)),
        f1=float(f1(found)),
        macro_f1=float(macro_f1(counts.of_findings.sum(axis=0))),
        direction_accuracy=float(ratio(counts.direction.sum(axis=0))),
        level_accuracy=float(ratio(counts.level.sum(axis=0))),
        unchanged_accuracy=float(ratio(counts.unchanged.sum(axis=0))),
        unparsed=int(counts.unparsed.sum()),
        unparsed_truth=int(counts.unparsed_truth.sum()),
        hallucinated_per_100=float(ratio(counts.hallucinated.sum(axis=0))),
        confusion=counts.confusion,
        by_finding={name: _finding_scores(rows.sum(axis=0)) for name, rows in counts.by_finding.items()},
    )


def parsed_answers(questions: pl.DataFrame) -> list[Changes]:
    """Return the changes of the true answers to difference questions; those that do not parse are left out."""
    parsed = map(parse_changes, questions.get_column("answer"))
    return [changes for changes in parsed if changes is not None]


def _found(truth: Changes, answer: Changes) -> tuple[int, int, int]:
    return len(truth & answer), len(answer - truth), len(truth - answer)


def _direction(truth: Changes, answer: Changes) -> tuple[int, int]:
    true, given = _directions(truth), _directions(answer)
    both = true.keys() & given.keys()
    return sum(true[finding] == given[finding] for finding in both), len(both)


def _directions(changes: Changes) -> dict[str, ChangeKind]:
    return {change.finding: change.kind for change in changes if change.kind is not ChangeKind.LEVEL}


def _level(truth: Changes, answer: Changes) -> tuple[int, int]:
    true = {change for change in truth if change.kind is ChangeKind.LEVEL}
    return len(true & answer), len(true)


def _invented(truth: Changes | None, answer: Changes | None) -> tuple[int, int]:
    if truth is None or answer is None:
        return 0, 0
    return 100 * len(_named(answer) - _named(truth)), 1


def _named(changes: Changes) -> set[str]:
    return {change.finding for change in changes}


def _confusion(pairs: Sequence[tuple[Changes, Changes]]) -> dict[str, dict[str, int]]:
    kinds = [kind.value for kind in ChangeKind] + [NO_CHANGE]
    table = {true: dict.fromkeys(kinds, 0) for true in kinds}
    for truth, answer in pairs:
        true, given = _kinds(truth), _kinds(answer)
        for finding in true.keys() | given.keys():
            table[true.get(finding, NO_CHANGE)][given.get(finding, NO_CHANGE)] += 1
    del table[NO_CHANGE][NO_CHANGE]  # of findings that nobody names there is no number
    return table


def _kinds(changes: Changes) -> dict[str, str]:
    return {change.finding: change.kind.value for change in changes}


def _by_finding(pairs: Sequence[tuple[Changes, Changes]]) -> dict[str, np.ndarray]:
    counts: dict[str, np.ndarray] = defaultdict(lambda: np.zeros((len(pairs), 3)))
    for row, (truth, answer) in enumerate(pairs):
        for column, group in enumerate((truth & answer, answer - truth, truth - answer)):
            for change in group:
                counts[change.finding][row, column] += 1
    return dict(sorted(counts.items()))


def _finding_scores(sums: np.ndarray) -> FindingScores:
    scores = (float(figure(sums)) for figure in (precision, recall, f1))
    return FindingScores(int(sums[0] + sums[2]), *scores)


def _rows(rows: Sequence[tuple[int, ...]], width: int) -> np.ndarray:
    return np.array(rows, dtype=np.float64).reshape(-1, width)
