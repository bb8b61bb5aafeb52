"""A small training in a process of its own, which a test may kill."""

import multiprocessing
import os
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import torch

from cfvqa.data.batches import ImageFeatures
from cfvqa.data.feature_store import FeatureStore, write_index, write_shard
from cfvqa.data.pair_data import PairData
from cfvqa.data.pair_sets import PairSettings
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.reader import Widths, build_model
from cfvqa.training.curve_logger import CurveLogger
from cfvqa.training.fit import FitSettings, fit
from cfvqa.training.schedules import one_cycle
from cfvqa.training.vqa_module import VqaModule

IMAGES = 120
ADDED = "the main image has an additional finding of edema than the reference image."
REMOVED = "the main image is missing the finding of hernia than the reference image."
TEXT = {"pretrained": None, "transformer": {"width": 16, "layers": 1, "heads": 2, "dropout": 0.1, "max_length": 64}}
MODEL = {
    "reads_images": True,
    "network": {"_target_": "cfvqa.models.coarse_to_fine.CoarseToFine", "heads": 2, "dropout": 0.1},
}
OBJECTIVES = {"generation": Generation(), "coarse": Coarse(), "fine": Fine(), "masked_language": MaskedLanguage()}


@dataclass(frozen=True)
class Way:
    """How the training runs."""

    workers: int = 0
    precision: str = "32-true"
    world: int = 1
    epochs: int = 2


def questions():
    rows = []
    for number in range(IMAGES):
        split = "val" if number % 10 == 0 else "train"
        main, reference = f"i{number}", f"i{(number + 1) % IMAGES}"
        answer = ADDED if number % 2 else REMOVED
        rows.append((f"d{number}", f"s{number}", main, reference, "difference", "what has changed?", answer, split))
        rows.append((f"p{number}", f"s{number}", main, None, "presence", "is there edema?", "yes", split))
    names = ["question_id", "subject_id", "main_image", "reference_image", "question_type", "question", "answer"]
    return pl.DataFrame(rows, schema=[*names, "split"], orient="row")


def write_store(folder: Path):
    folder.mkdir()
    g = torch.Generator().manual_seed(0)
    features = ImageFeatures(
        region=torch.randn(IMAGES, 24, 8, generator=g),
        finding=torch.randn(IMAGES, 24, 6, generator=g),
        probability=torch.rand(IMAGES, 24, 38, generator=g),
        severity=torch.rand(IMAGES, 38, 2, generator=g),
        box=torch.rand(IMAGES, 24, 4, generator=g),
        score=torch.ones(IMAGES, 24),
    )
    write_shard(folder / "part-00000.h5", [f"i{n}" for n in range(IMAGES)], features)
    write_index(folder)


def train(folder: Path, way: Way, rank: int, port: int):
    """Train to the end in `folder`, and leave the weights there."""
    torch.set_num_threads(1)
    if way.world > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE=str(way.world), NODE_RANK="0")
        os.environ["LOCAL_RANK"] = str(rank)
    table = questions()
    tokenizer = AnswerTokenizer.train([*table["question"], *table["answer"], *node_texts()])
    module = VqaModule(
        build_model(MODEL, TEXT, tokenizer=tokenizer, widths=Widths(8, 6), seed=0),
        objectives=OBJECTIVES,
        weights=dict.fromkeys(OBJECTIVES, 1.0),
        optimizer=partial(torch.optim.AdamW, lr=1e-3),
        schedule=one_cycle,
    )
    data = PairData(
        table,
        store=FeatureStore(folder.parent / "store"),
        tokenizer=tokenizer,
        settings=PairSettings(),
        units_per_batch=4,
        workers=way.workers,
    )
    strategy = "ddp_find_unused_parameters_true" if way.world > 1 else "auto"
    trainer = {"accelerator": "cpu", "devices": way.world, "strategy": strategy, "precision": way.precision}
    settings = FitSettings(
        title="finetune",
        epochs=way.epochs,
        seed=1,
        monitor="val/generation",
        mode="min",
        checkpoint_steps=3,
        trainer=trainer,
    )
    fit(module, data, settings, folder, loggers=[CurveLogger(folder)], console=StageConsole(quiet=True))
    if rank == 0:
        torch.save(module.state_dict(), folder / "final.pt")


class Processes:
    """The processes of one attempt at the training."""

    def __init__(self, folder: Path, way: Way):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.all = [context.Process(target=train, args=(folder, way, rank, port)) for rank in range(way.world)]
        for process in self.all:
            process.start()

    def wait(self, seconds=None):
        """Wait for the end; return whether it came in time."""
        for process in self.all:
            process.join(seconds)
        return all(process.exitcode is not None for process in self.all)

    def kill(self):
        for process in self.all:
            process.kill()
            process.join()

    def statuses(self):
        return [process.exitcode for process in self.all]
