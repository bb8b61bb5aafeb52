"""Where the words of an answer look: maps of a local contrast over the regions of both images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch

from cfvqa.data.feature_store import FeatureStore
from cfvqa.evaluation.predictions import SCHEMA
from cfvqa.language.grammar import parse_changes
from cfvqa.language.questions import DIFFERENCE
from cfvqa.objectives.base import Contrast, LocalContrast
from cfvqa.stages.asking import pair_set
from cfvqa.stages.trained import TrainedReader

_AT_ONCE = 32  # answers: each word is compared with the images of all
_SHORTEST = 4  # letters: "of" and "the" name nothing


@dataclass(frozen=True)
class WordMap:
    """One word of an answer.

    Attributes:
        word: as it is written.
        weight: (2, R), its shares in the regions of main and reference image.
    """

    word: str
    weight: np.ndarray


def word_maps(
    reader: TrainedReader, contrast: LocalContrast, answers: pl.DataFrame, store: FeatureStore
) -> list[list[WordMap]]:
    """Return, for each answer, where the words that name its findings look; nothing where it does not read as changes.

    Args:
        reader: that was trained with the contrast, on the CPU or wherever it is.
        contrast: whose words look for what they name.
        answers: predictions to difference questions, at least one.
        store: features of their images.
    """
    pairs = pair_set(reader, answers, store)
    device = next(reader.model.parameters()).device
    batch = pairs.collate([pairs[row] for row in range(len(pairs))]).to(device)
    texts = pairs.texts(answers["prediction"].to_list()).to(device)
    with torch.inference_mode():
        found = contrast.word_attention(reader.model, batch, reader.model.read(batch), texts)
        if found is None:
            return [[] for _ in range(len(answers))]
        weight = reader.model.token_regions(found.weight, batch).float().cpu().numpy()
    words = [reader.tokenizer.decode(ids[:, None]) for ids in found.word.ids.cpu().numpy()]
    return [
        _chosen(dict(zip(reversed(said), reversed(list(maps)), strict=True)), answer)  # of a word said twice, the first
        for said, maps, answer in zip(words, weight, answers["prediction"], strict=True)
    ]


def _chosen(weight: dict[str, np.ndarray], answer: str) -> list[WordMap]:
    findings = sorted({change.finding for change in parse_changes(answer) or ()}, key=answer.lower().find)
    names = dict.fromkeys(word for finding in findings for word in finding.split() if len(word) >= _SHORTEST)
    return [WordMap(word, weight[word]) for word in names if word in weight]


def local_of(contrasts: Mapping[str, Contrast]) -> LocalContrast | None:
    """Return the first contrast whose words look for what they name; None where there is none."""
    return next((contrast for contrast in contrasts.values() if hasattr(contrast, "word_attention")), None)


def attended_by_words(
    reader: TrainedReader, contrast: LocalContrast, predictions: pl.DataFrame, store: FeatureStore
) -> pl.DataFrame:
    """Return the answers to difference questions with the mean of their word maps for an attention.

    Args:
        reader: that was trained with the contrast.
        contrast: whose words look for what they name.
        predictions: the table; it keeps its columns. An answer that names no finding has no attention.
        store: features of the images.
    """
    is_pair = (pl.col("question_type") == DIFFERENCE) & pl.col("reference_image").is_not_null()
    pairs = predictions.filter(is_pair)
    found = [maps for part in pairs.iter_slices(_AT_ONCE) for maps in word_maps(reader, contrast, part, store)]
    means = [np.mean([one.weight for one in maps], axis=0) if maps else None for maps in found]
    columns = {
        name: [None if mean is None else mean[image].tolist() for mean in means]
        for image, name in enumerate(("attention_main", "attention_reference"))
    }
    return pairs.with_columns(pl.Series(name, rows, dtype=SCHEMA[name]) for name, rows in columns.items())
