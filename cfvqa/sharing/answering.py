"""Answering one question about one or two image files: the same path as extraction and evaluation, without tables."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.data.feature_store import as_stored
from cfvqa.data.image_sets import ImageSet, unlabelled
from cfvqa.errors import InputError
from cfvqa.language.change_labels import label_changes
from cfvqa.language.questions import QUESTION_TYPES, WHAT_CHANGED, question_type
from cfvqa.language.tokenizer import UNK, Tokenizer
from cfvqa.sharing.answers import FindingSeen, Likelihood, Place, Prediction, RegionSeen
from cfvqa.stages.asking import Decoding, ask_batch
from cfvqa.stages.closed_answers import ClosedAnswers
from cfvqa.stages.trained import TrainedReader, device
from cfvqa.training.extraction import ExtractionModule
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

_CHANGE = re.compile(r"\bwhat (?:has |have )?changed\b|\breference\b", re.IGNORECASE)
_DIGITS = 6  # of a figure that is shown
_LONGEST_WORD = 32  # in tokens


@dataclass(frozen=True)
class Model:
    """What answers questions about radiographs; all networks are in evaluation mode.

    Attributes:
        folder: of the run, or of what was exported.
        detector: finds the regions.
        classifier: names the findings in them.
        reader: answers, from what the two extract.
        image_size: side of the square frame that detector and classifier see, in pixels.
        decoding: how answers are found, as in the evaluation of the run.
        closed: what is chosen from, where answers are ranked; otherwise None.
    """

    folder: Path
    detector: nn.Module
    classifier: nn.Module
    reader: TrainedReader
    image_size: int
    decoding: dict[str, Any]
    closed: ClosedAnswers | None = None

    def ask(self, *, main: Path | str, reference: Path | str | None = None, question: str = WHAT_CHANGED) -> Prediction:
        """Ask a question about a main image, and a reference image where there is one.

        Args:
            main: file of the later radiograph, PNG, JPEG or DICOM.
            reference: file of the earlier one; None for a question about one image.
            question: in English, as Medical-Diff-VQA words it.

        Raises:
            InputError: if an image cannot be read, or the question is none that can be asked about the images.
        """
        files = [Path(main)] if reference is None else [Path(main), Path(reference)]
        _check(question, len(files))
        features = _extract(self, files)
        answer, score, attention = _ask(self, features, question)
        return Prediction(
            main=str(main),
            reference=None if reference is None else str(reference),
            question=question,
            answer=answer,
            score=_figure(score),
            findings=_findings(features.probability.numpy()),
            regions=_regions(features.box.numpy(), attention),
            notes=_notes(self, question, len(files)),
        )


def _extract(model: Model, paths: list[Path]) -> ImageFeatures:
    """Return the features of image files, on the CPU."""
    images = ImageSet(unlabelled(paths), size=model.image_size, cache_gib=0)
    module = ExtractionModule(model.detector, model.classifier, images).to(device())
    batch = images.collate([images[row] for row in range(len(images))])
    with torch.inference_mode():
        return as_stored(module.predict_step(batch.to(device()), 0))


def _ask(model: Model, features: ImageFeatures, question: str) -> tuple[str, float, np.ndarray | None]:
    """Return the answer, its score, and the attention (2, R) over the regions of main and reference image."""
    model.reader.model.to(device())
    batch, decoding = _batch(model, features, question).to(device()), Decoding(model.decoding, model.closed)
    given = ask_batch(model.reader, batch, decoding, [question_type(question)])
    return given.texts[0], given.scores[0], None if given.attention is None else given.attention[0]


def _batch(model: Model, features: ImageFeatures, question: str) -> PairBatch:
    """Return the one question as a batch; what only training reads stays empty."""
    pairs = model.reader.description["pairs"]
    empty = _tokens(model.reader.tokenizer, "", pairs["answer_length"], "[DEC]")
    return PairBatch(
        main=features[torch.tensor([0])],
        reference=features[torch.tensor([-1])],  # the main image where there is no other; `has_reference` masks it
        has_reference=torch.tensor([len(features.score) > 1]),
        unit=torch.tensor([0]),
        question=_tokens(model.reader.tokenizer, question, pairs["question_length"], "[ENC]"),
        answer=empty,
        wrong_answer=empty,
        keywords=empty,
        changes=torch.from_numpy(label_changes(None)).unsqueeze(0),
        row=torch.tensor([0]),
        draw=torch.zeros(empty.ids.shape),
    )


def _tokens(tokenizer: Tokenizer, text: str, length: int, first: str) -> Tokens:
    ids, mask = tokenizer.encode([text], max_length=length, first=first)
    return Tokens(torch.from_numpy(ids), torch.from_numpy(mask))


def _figure(value: float) -> float:
    return round(float(value), _DIGITS)


def _findings(probability: np.ndarray) -> list[FindingSeen]:
    """Return the findings by their highest probability; `probability` is (1 or 2, R, F)."""
    highest, where = probability.max(1), probability.argmax(1)
    order = np.argsort(-highest.max(0), kind="stable")
    return [_finding(FINDINGS[column], highest[:, column], where[:, column]) for column in order]


def _finding(name: str, probability: np.ndarray, where: np.ndarray) -> FindingSeen:
    seen = [Likelihood(_figure(value), REGIONS[row]) for value, row in zip(probability, where, strict=True)]
    if len(seen) == 1:
        return FindingSeen(name, seen[0], reference=None, difference=None)
    return FindingSeen(name, *seen, difference=_figure(probability[0] - probability[1]))


def _regions(box: np.ndarray, attention: np.ndarray | None) -> list[RegionSeen]:
    """Return the regions by attention; `box` is (1 or 2, R, 4) and `attention` (2, R)."""
    if attention is None:
        return [_region(name, box[:, row], None) for row, name in enumerate(REGIONS)]
    share = attention[: len(box)]
    order = np.argsort(-share.sum(0), kind="stable")
    return [_region(REGIONS[row], box[:, row], share[:, row]) for row in order]


def _region(name: str, box: np.ndarray, share: np.ndarray | None) -> RegionSeen:
    shares = [None] * len(box) if share is None else [_figure(value) for value in share]
    places = [
        Place([round(float(value), 1) for value in corners], value) for corners, value in zip(box, shares, strict=True)
    ]
    total = None if share is None else _figure(share.sum())
    return RegionSeen(name, total, places[0], places[1] if len(places) > 1 else None)


def _check(question: str, images: int) -> None:
    if not re.search(r"\w", question):
        raise InputError("the question has no words: ask one, question='is there edema?'")
    if images == 1 and _asks_for_change(question):
        raise InputError(f"'{question}' compares two images, but there is no reference image: give reference=FILE")


def _asks_for_change(question: str) -> bool:
    return _CHANGE.search(question) is not None


def _notes(model: Model, question: str, images: int) -> list[str]:
    """Say what of the question the reader does not know, does not read, or never learned."""
    tokenizer, length = model.reader.tokenizer, model.reader.description["pairs"]["question_length"]
    notes = []
    if question_type(question) is None:
        notes.append(
            f"the question is worded like none of the {len(QUESTION_TYPES)} types of Medical-Diff-VQA "
            f"({', '.join(QUESTION_TYPES)}): a reader that learned those alone answers it all the same, by guessing"
        )
    if unknown := _unknown_words(question, tokenizer):
        notes.append(f"the reader does not know {len(unknown)} of the question's words: {', '.join(unknown)}")
    tokens = tokenizer.encode([question], max_length=len(question) + 2)[0].shape[1] - 2
    if tokens > length - 2:
        notes.append(f"the question has {tokens} tokens; the reader reads the first {length - 2}")
    if images == 2 and not _asks_for_change(question):
        notes.append(
            "the question asks for no change: readers trained with source.pairing=auto learn such questions without "
            "a reference image; leave reference out"
        )
    return notes


def _unknown_words(question: str, tokenizer: Tokenizer) -> list[str]:
    words = [word for word in dict.fromkeys(re.split(r"[\s.,?]+", question)) if re.search(r"\w", word)]
    ids, _ = tokenizer.encode(words, max_length=_LONGEST_WORD)
    return [word for word, row in zip(words, ids, strict=True) if tokenizer.id_of(UNK) in row]
