"""The report stage: one self-contained page about a run, its figures and some of its answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock
from omegaconf import DictConfig

from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.evaluation.answer_tables import answer_tables_of
from cfvqa.evaluation.contrast_tables import page_tables_of
from cfvqa.evaluation.curves import Curve, curve_of
from cfvqa.evaluation.metrics import read_metrics
from cfvqa.evaluation.page_pictures import PAIR, Radiographs
from cfvqa.evaluation.report import Page, Pair, Picture, WordPictures, identity_tag, render
from cfvqa.evaluation.report_figures import finding_rows_of, headline_of, text_table_of
from cfvqa.evaluation.verdicts import Judgement, Verdict, choose, judge
from cfvqa.files import write_text
from cfvqa.language.questions import DIFFERENCE
from cfvqa.progress import StageConsole
from cfvqa.settings.building import plain
from cfvqa.settings.schema import ANSWERS
from cfvqa.sources.tables import Tables
from cfvqa.stages.evaluation import evaluation, judged_contrasts, judged_phase
from cfvqa.stages.identity import identify
from cfvqa.stages.report_facts import Ran, facts_of, notes_of, test_figure, times_of
from cfvqa.stages.tables import load_tables
from cfvqa.stages.trained import load_reader
from cfvqa.stages.word_maps import WordMap, local_of, word_maps
from cfvqa.training.ranks import rank

LAYOUT = 4
"""Of the page; another number, and every report is made again."""

_WORDS = 4  # of an answer, that are mapped at most


def report(config: DictConfig, console: StageConsole) -> Path:
    """Return `runs/<name>/report.html`, made if need be, and the evaluation before it.

    Raises:
        InputError: if the config names a file of answers, which has no run to report on, or judges no answers.
    """
    if config.predictions is not None:
        raise InputError("a report shows a trained run: leave predictions out, or use cfvqa-evaluate")
    if ANSWERS not in config.evaluation.tasks:
        raise InputError(f"a report shows answers: add {ANSWERS} to evaluation.tasks, or use cfvqa-evaluate")
    judged = evaluation(config, console)
    identity = identify(LAYOUT, plain(config.report), judged.id)
    path = Path(config.runs) / str(config.name) / "report.html"
    if rank() > 0:  # the first process of a training writes the page
        return path
    with FileLock(path.with_name(path.name + ".lock")):
        if _is_whole(path, identity):
            console.ready("report", str(path))
            return path
        console.announce("report", str(path), "...")
        page = _page(config, Ran.behind(config, judged, console), identity)
        write_text(path, render(page))
    console.print(f"  done  pairs {len(page.pairs)}  kilobytes {path.stat().st_size // 1024}", highlight=False)
    return path


def _is_whole(path: Path, identity: str) -> bool:
    return path.is_file() and identity_tag(identity) in path.read_text(encoding="utf-8")


def _page(config: DictConfig, ran: Ran, identity: str) -> Page:
    folder = ran.evaluation.folder
    metrics = read_metrics(folder / "metrics.json")
    try:
        predictions = pl.read_parquet(folder / "predictions.parquet")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{folder} is damaged ({error}): delete it and run the command again") from error
    judgements = [judge(*row) for row in predictions.select("question_type", "answer", "prediction").iter_rows()]
    pairs = _Pairs(load_tables(ran.tables), FeatureStore(ran.features.folder, preload_gib=0), config.report.side)
    kinds = predictions["question_type"].to_list()
    right = [judgement.verdict is Verdict.RIGHT for judgement in judgements]
    rows = choose(kinds, right, count=config.report.pairs, seed=config.report.seed)
    maps = _word_maps(config, ran, predictions[rows].with_row_index("row"), pairs.store)
    return Page(
        identity=identity,
        name=str(config.name),
        read=_read_line(metrics, predictions),
        notes=notes_of(metrics["data"]),
        headline=headline_of(metrics),
        answers=answer_tables_of(metrics),
        text=text_table_of(metrics),
        findings=finding_rows_of(metrics),
        contrasts=page_tables_of(metrics),
        curves=_curves(config, ran),
        pairs=tuple(
            pairs.pair(predictions.row(row, named=True), judgements[row], maps.get(place, ()))
            for place, row in enumerate(rows)
        ),
        rule=_rule(config, kinds, judgements),
        facts=facts_of(config, ran, metrics),
        times=times_of(ran, metrics),
    )


def _word_maps(config: DictConfig, ran: Ran, chosen: pl.DataFrame, store: FeatureStore) -> dict[int, list[WordMap]]:
    """Return row of the chosen predictions -> where words of the answer look, for the first that name findings.

    There are none where no objective of the judged phase has taught them to look.
    """
    contrast = local_of(judged_contrasts(config))
    pairs = chosen.filter((pl.col("question_type") == DIFFERENCE) & pl.col("reference_image").is_not_null())
    if contrast is None or not len(pairs) or not config.report.words:
        return {}
    reader = load_reader(ran.reader.folder, judged_phase(config))
    found = zip(pairs["row"], word_maps(reader, contrast, pairs, store), strict=True)
    return dict([(row, maps[:_WORDS]) for row, maps in found if maps][: config.report.words])


def _read_line(metrics: Mapping[str, Any], predictions: pl.DataFrame) -> str:
    data, subjects = metrics["data"], predictions["subject_id"].n_unique()
    asked = f"{len(predictions):,} questions about {subjects:,} subjects"
    return f"Data set {data['name']}, version {data['version']}, split {data['split']}: {asked}."


def _rule(config: DictConfig, kinds: list[str], judgements: list[Judgement]) -> str:
    verdicts = [judgement.verdict for kind, judgement in zip(kinds, judgements, strict=True) if kind == "difference"]
    counts = ", ".join(f"{verdicts.count(verdict):,} {verdict.value}" for verdict in Verdict)
    return (
        f"Drawn by lot (seed {config.report.seed}), not by hand: two in three ask what has changed, and of each "
        "kind half were answered right and half were not; where there are too few of one sort, others take their "
        f"place. Of all {len(verdicts):,} difference questions the answers are: {counts}."
    )


def _curves(config: DictConfig, ran: Ran) -> tuple[Curve, ...]:
    vision = (("Anatomy detector", ran.anatomy, "val/map_50"), ("Finding classifier", ran.findings, "val/auroc"))
    curves = []
    for title, stage, monitor in vision:
        if stage is None:
            continue
        tested = test_figure(stage)
        note = f"On test subjects: {tested}." if tested else ""
        curves.append(curve_of(stage.folder / "metrics.csv", title=title, monitor=monitor, mode="max", note=note))
    readers = (("Reader", ran.reader, config.phases), ("Blind control", ran.control, config.evaluation.blind.phases))
    for title, stage, phases in readers:
        for phase, block in plain(phases).items():
            file, named = stage.folder / phase / "metrics.csv", f"{title}, phase {phase}"
            curves.append(curve_of(file, title=named, monitor=block["monitor"], mode="min"))
    return tuple(curves)


class _Pairs:
    """Looks up the images of questions and draws them.

    Args:
        read: where the images lie.
        store: where the detected regions are.
        side: of a picture, in pixels.
    """

    def __init__(self, read: Tables, store: FeatureStore, side: int) -> None:
        self.radiographs = Radiographs(read)
        self.store = store
        self.side = side

    def pair(self, row: Mapping[str, Any], judgement: Judgement, maps: Sequence[WordMap] = ()) -> Pair:
        """Return a row of the predictions with its pictures: the earlier study first, as one reads them."""
        images = PAIR if row["reference_image"] is not None else (("main", "main image"),)
        weights = {name: row[f"attention_{name}"] for name, _ in images}
        heaviest = max(share for weight in weights.values() for share in weight or [0.0])
        pictures = (
            self._picture(row[f"{name}_image"], weights[name], heaviest, caption, self.side) for name, caption in images
        )
        return Pair(
            question_id=row["question_id"],
            question_type=row["question_type"],
            question=row["question"],
            truth=row["answer"],
            answer=row["prediction"],
            score=row["score"],
            judgement=judgement,
            pictures=tuple(pictures),
            words=tuple(self._word(row, word) for word in maps),
        )

    def _word(self, row: Mapping[str, Any], word: WordMap) -> WordPictures:
        """Return the maps of a word over both images, on one scale."""
        images = (("reference", word.weight[1]), ("main", word.weight[0]))
        heaviest = float(word.weight.max())
        pictures = (
            self._picture(
                row[f"{name}_image"], weight, heaviest, f"{name} image, for the word {word.word}", self.side // 2
            )
            for name, weight in images
        )
        return WordPictures(word.word, tuple(pictures))

    def _picture(
        self, image_id: str, attention: Sequence[float] | None, heaviest: float, caption: str, side: int
    ) -> Picture:
        boxes = self.store.read([image_id]).box[0].numpy()
        return self.radiographs.picture(image_id, caption, side=side, boxes=boxes, weight=attention, heaviest=heaviest)
