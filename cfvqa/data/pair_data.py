"""The LightningDataModule of questions about pairs of radiographs."""

import lightning as L
import polars as pl
from torch.utils.data import DataLoader

from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.loaders import EpochLoader, place_of
from cfvqa.data.loading_processes import in_processes
from cfvqa.data.pair_sets import PairSet, PairSettings
from cfvqa.data.sampling import EpochBatches, OrderedBatches
from cfvqa.data.seeding import stable_seed
from cfvqa.errors import InputError
from cfvqa.language.negatives import Said
from cfvqa.language.tokenizer import Tokenizer


class PairData(L.LightningDataModule):
    """Serve the questions by split, grouped so that a batch reads each pair of images once.

    Args:
        questions: the questions table.
        store: features of its images.
        tokenizer: turns texts into ids.
        settings: lengths, swapping, seed.
        units_per_batch: pairs (or single images) per optimizer step; each brings its questions along.
        workers: loading processes.
        label_fraction: share of the training subjects whose questions are asked: what it costs to label fewer. An
            epoch has as many units all the same, each so much more often: equal training, fewer labels.
    """

    def __init__(
        self,
        questions: pl.DataFrame,
        *,
        store: FeatureStore,
        tokenizer: Tokenizer,
        settings: PairSettings,
        units_per_batch: int,
        workers: int = 0,
        label_fraction: float = 1.0,
    ) -> None:
        super().__init__()
        self.questions = questions
        self.store = store
        self.tokenizer = tokenizer
        self.settings = settings
        self.units_per_batch = units_per_batch
        self.workers = workers
        self.label_fraction = label_fraction

    def pair_set(self, split: str) -> PairSet:
        """Return the questions of one split."""
        rows = self.questions.filter(pl.col("split") == split)
        if split == "train" and self.label_fraction < 1:
            rows = some_subjects(rows, self.label_fraction, self.settings.seed)
        if not len(rows):
            raise InputError(f"split '{split}' has no question: prepare more subjects, or choose another split")
        return PairSet(
            rows,
            store=self.store,
            tokenizer=self.tokenizer,
            settings=self.settings,
            training=split == "train",
            said=Said.of(rows.group_by("question_type", "answer", maintain_order=True).len().iter_rows()),
        )

    def train_dataloader(self) -> EpochLoader:
        """Yield shuffled training batches."""
        pairs = self.pair_set("train")
        units, kinds = pairs.units(), pairs.has_reference()
        turns = [turn % len(units) for turn in range(self._units_of_all())]
        batches = EpochBatches(
            [units[turn] for turn in turns],
            groups_per_batch=self.units_per_batch,
            seed=self.settings.seed,
            # Answers about two images are four times as long: together, the short ones would be padded to them.
            kinds=[kinds[turn] for turn in turns],
            on_epoch=pairs.begin_epoch,
            **place_of(self),
        )
        return EpochLoader(pairs, batches, collate=pairs.collate, workers=self.workers)

    def _units_of_all(self) -> int:
        """Return the number of units of the training split, labelled or not."""
        train = self.questions.filter(pl.col("split") == "train")
        return len(train.unique(["main_image", "reference_image"]))

    def val_dataloader(self) -> DataLoader:
        """Yield the validation questions in table order."""
        return self.in_order("val")

    def in_order(self, split: str) -> DataLoader:
        """Yield the questions of a split in table order; a rank gets its share of the batches."""
        pairs = self.pair_set(split)
        batches = OrderedBatches(len(pairs), size=4 * self.units_per_batch, **place_of(self))
        return DataLoader(
            pairs,
            batch_sampler=batches,
            collate_fn=pairs.collate,
            **in_processes(self.workers),
        )


def some_subjects(questions: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """Return the questions about a share of the subjects; a larger share of one seed holds a smaller one.

    Args:
        questions: rows of the questions table.
        share: of the subjects, rounded to at least one.
        seed: of their order.
    """
    subjects = questions["subject_id"].unique().sort().to_list()
    order = sorted(subjects, key=lambda subject: stable_seed(seed, "labelled", subject))
    kept = order[: max(1, round(share * len(order)))]
    return questions.filter(pl.col("subject_id").is_in(kept))
