"""The report of a run: what its page shows, and the page itself, one HTML file that needs nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cfvqa.evaluation.charts import DASH, Figure, Whisker, bar, interval_plot, line_chart, number
from cfvqa.evaluation.curves import Curve
from cfvqa.evaluation.verdicts import Judgement


@dataclass(frozen=True, slots=True)
class Panel:
    """One headline figure of the model and of all that it is compared with.

    Attributes:
        title: name of the figure.
        meaning: what it is, in one sentence.
        rows: the model, the blind baselines, the control.
    """

    title: str
    meaning: str
    rows: tuple[Whisker, ...]

    def figure_of(self, label: str) -> Figure:
        """Return the figure of one row; an empty one where there is no such row."""
        return next((row.figure for row in self.rows if row.label == label), Figure(None, reason="not measured"))


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures that count.

    Attributes:
        figure: change F1 of the model.
        best_blind: the highest change F1 without any image, and whose it is.
        verdict: what the two say together, in a sentence.
        weakest: the lowest of the other figures, in sentences.
        panels: all headline figures.
        asked: how many questions stand behind them, in a sentence.
        warning: why text scores are no headline, in sentences.
        systems: name and meaning of the baselines and the control.
    """

    figure: Figure
    best_blind: tuple[str, Figure] | None
    verdict: str
    weakest: str
    panels: tuple[Panel, ...]
    asked: str
    warning: str
    systems: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TextRow:
    """Text scores of the answers to one type of question, in the order of the table's columns."""

    question_type: str
    n: int
    scores: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TextTable:
    """Text scores by type of question, and the scorers (name, version, scale) behind them."""

    columns: tuple[str, ...]
    rows: tuple[TextRow, ...]
    scorers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class FindingRow:
    """How well the changes of one finding are answered.

    Attributes:
        name: the finding.
        n: how many changes of it are true.
        precision, recall, f1: of the model.
        blind_f1: of the control that never sees an image, where it was asked.
    """

    name: str
    n: int
    precision: float | None
    recall: float | None
    f1: float | None
    blind_f1: float | None


@dataclass(frozen=True, slots=True)
class SmallRow:
    """A row of a small table."""

    label: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class SmallTable:
    """A few figures: what they are of, what they mean in sentences, their columns and rows."""

    title: str
    meaning: str
    columns: tuple[str, ...]
    rows: tuple[SmallRow, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A radiograph: caption, words for those who do not see it, the file itself as a data URI.

    `legend` says what the numbers in it stand for, from 1 on.
    """

    caption: str
    alt: str
    uri: str
    legend: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WordPictures:
    """Where one word of an answer looks in the images, in the order of the pictures of the pair."""

    word: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One question with its answer and the images that it is about.

    Attributes:
        question_id, question_type, question, truth, answer: as in the table of predictions.
        score: 0 to 1, how sure the reader was; None where it did not say.
        judgement: what the answer is worth.
        pictures: reference image and main image, or the main image alone.
        words: where words of the answer look, of a model whose training has taught them to.
    """

    question_id: str
    question_type: str
    question: str
    truth: str
    answer: str
    score: float | None
    judgement: Judgement
    pictures: tuple[Picture, ...]
    words: tuple[WordPictures, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """A group of settings or counts: name and value, in words."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows.

    Attributes:
        identity: hash of the inputs; a page that holds it need not be made again.
        name: of the run.
        read: what was read, in a line.
        notes: what a reader must know before any figure.
        headline, answers, text, findings, contrasts, curves: the figures; there are no contrasts where none was judged.
        pairs, rule: questions to look at, and how they were chosen.
        facts: what ran.
        times: seconds and speeds; the only part that differs between two runs of the same.
    """

    identity: str
    name: str
    read: str
    notes: tuple[str, ...]
    headline: Headline
    answers: tuple[SmallTable, ...]
    text: TextTable
    findings: tuple[FindingRow, ...]
    contrasts: tuple[SmallTable, ...]
    curves: tuple[Curve, ...]
    pairs: tuple[Pair, ...]
    rule: str
    facts: tuple[Facts, ...]
    times: tuple[tuple[str, str], ...]


def identity_tag(identity: str) -> str:
    """Return the tag by which a page says what it was made from."""
    return f'<meta name="cfvqa-id" content="{identity}">'


def render(page: Page) -> str:
    """Return the page as HTML; every text is escaped, whatever it holds."""
    return templates().get_template("report.html.j2").render(page=page)


def templates() -> Environment:
    """Return where the templates of pages lie, with what they call."""
    environment = Environment(
        loader=PackageLoader("cfvqa.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    charts: dict[str, Callable[..., Any]] = {"bar": bar, "interval_plot": interval_plot, "line_chart": line_chart}
    environment.globals |= charts | {"DASH": DASH}
    environment.filters["number"] = number
    return environment
