"""A small training in a process of its own, which a test may kill."""

import multiprocessing
import os
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning as L
import polars as pl
import torch

from cfvqa.data.batches import ImageFeatures
from cfvqa.data.feature_store import FeatureStore, write_index, write_shard
from cfvqa.data.image_data import ImageData, ImageDataSettings
from cfvqa.data.pair_data import PairData
from cfvqa.data.pair_sets import PairSettings
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.hard_matching import HardMatching
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.objectives.momentum_contrast import ImageTextContrast
from cfvqa.phantom import PhantomSettings, write_phantom
from cfvqa.progress import StageConsole
from cfvqa.settings.reader import Widths, build_model
from cfvqa.sources.mimic import MimicSource
from cfvqa.training.curve_logger import CurveLogger
from cfvqa.training.fit import FitSettings, fit
from cfvqa.training.schedules import one_cycle
from cfvqa.training.vision_modules import AnatomyModule, FindingsModule
from cfvqa.training.vqa_module import VqaModule
from cfvqa.vision.region_queries import RegionQueries
from cfvqa.vision.shared_trunk import SharedTrunk
from cfvqa.vision.trunk import Trunk

IMAGES = 120
PRELOADED = ["cfvqa.settings.reader", "cfvqa.sources.mimic", "cfvqa.training.fit", "cfvqa.training.vision_modules"]
ADDED = "the main image has an additional finding of edema than the reference image."
REMOVED = "the main image is missing the finding of hernia than the reference image."
TEXT = {"pretrained": None, "transformer": {"width": 16, "layers": 1, "heads": 2, "dropout": 0.1, "max_length": 64}}
MODEL = {
    "network": {"_target_": "cfvqa.models.coarse_to_fine.CoarseToFine", "heads": 2, "dropout": 0.1},
}
BLIP = {"network": {"_target_": "cfvqa.models.blip.BLIP", "heads": 2, "dropout": 0.1, "space": 8, "queue": 50}}
OBJECTIVES = {"generation": Generation(), "coarse": Coarse(), "fine": Fine(), "masked_language": MaskedLanguage()}


@dataclass(frozen=True)
class Way:
    """What is trained, and how."""

    task: str = "vqa"
    workers: int = 0
    precision: str = "32-true"
    world: int = 1
    epochs: int = 2
    units: int = 4
    accumulate: int = 1
    clip: float | None = None
    limit: float | int = 1.0


def questions():
    rows = []
    for number in range(IMAGES):
        split = "val" if number % 10 == 9 else "train"
        main, reference = f"i{number}", f"i{(number + 1) % IMAGES}"
        answer = ADDED if number % 2 else REMOVED
        rows.append((f"d{number}", f"s{number}", main, reference, "difference", "what has changed?", answer, split))
        rows.append((f"p{number}", f"s{number}", main, None, "presence", "is there edema?", "yes", split))
    names = ["question_id", "subject_id", "main_image", "reference_image", "question_type", "question", "answer"]
    return pl.DataFrame(rows[:-1], schema=[*names, "split"], orient="row")


def write_data(base: Path):
    """Write a feature store and a small phantom."""
    write_phantom(base / "phantom", PhantomSettings(subjects=40, seed=1, size=64))
    write_store(base)


def write_store(base: Path):
    """Write a feature store."""
    folder = base / "store"
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


def join(way: Way, rank: int, port: int):
    """Be one of the processes of a way; return the arguments of their trainer."""
    torch.set_num_threads(1)  # tests run side by side, and threads of small networks wait for each other
    if way.world > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE=str(way.world), NODE_RANK="0")
        os.environ["LOCAL_RANK"] = str(rank)
    strategy = "ddp_find_unused_parameters_true" if way.world > 1 else "auto"
    return {"accelerator": "cpu", "devices": way.world, "strategy": strategy, "precision": way.precision}


def validate(folder: Path, way: Way, rank: int, port: int):
    """Leave the validation figures of the weights that a training begins with in `folder`."""
    trainer = L.Trainer(**join(way, rank, port), logger=False, use_distributed_sampler=False)
    module, data, *_ = PARTS[way.task](folder.parent, way)
    [figures] = trainer.validate(module, data, verbose=False)
    if rank == 0:
        torch.save(figures, folder / "figures.pt")


def train(folder: Path, way: Way, rank: int, port: int, callbacks=(), start=None):
    """Train to the end in `folder`, and leave the weights there."""
    trainer = join(way, rank, port)
    trainer |= {"accumulate_grad_batches": way.accumulate, "gradient_clip_val": way.clip}
    trainer |= {"limit_train_batches": way.limit}
    module, data, monitor, mode = PARTS[way.task](folder.parent, way)
    settings = FitSettings(
        title=way.task,
        epochs=way.epochs,
        seed=1,
        monitor=monitor,
        mode=mode,
        checkpoint_steps=3,
        trainer=trainer,
        start=start,
    )
    fit(
        module,
        data,
        settings,
        folder,
        loggers=[CurveLogger(folder)],
        console=StageConsole(quiet=True),
        callbacks=callbacks,
    )
    if rank == 0:
        torch.save(module.state_dict(), folder / "final.pt")


def train_in_group(*place):
    """Train in a process group of its own, which a signal reaches with all loading processes."""
    os.setpgrp()
    train(*place)


def reader_parts(base: Path, way: Way, model: dict, objectives: dict):
    table = questions()
    tokenizer = AnswerTokenizer.train([*table["question"], *table["answer"], *node_texts()])
    module = VqaModule(
        build_model(model, TEXT, tokenizer=tokenizer, widths=Widths(8, 6), seed=0),
        objectives=objectives,
        weights=dict.fromkeys(objectives, 1.0),
        optimizer=partial(torch.optim.AdamW, lr=1e-3),
        schedule=one_cycle,
    )
    data = PairData(
        table,
        store=FeatureStore(base / "store"),
        tokenizer=tokenizer,
        settings=PairSettings(),
        units_per_batch=way.units,
        workers=way.workers,
    )
    return module, data, "val/generation", "min"


def images(base: Path, way: Way, needs: str):
    tables = MimicSource(base / "phantom", split="official", on_reversed="error").read()
    return ImageData(tables, ImageDataSettings(image_size=64, batch_size=way.units, workers=way.workers), needs=needs)


def detector():
    torch.manual_seed(0)
    return RegionQueries(trunk=Trunk(channels=[8, 8, 16, 16], width=16), channels=16, width=16)


def anatomy_parts(base: Path, way: Way):
    module = AnatomyModule(detector(), learning_rate=1e-3, weight_decay=0.01)
    return module.to(memory_format=torch.channels_last), images(base, way, "boxes"), "val/map_50", "max"


def findings_parts(base: Path, way: Way):
    trained = detector()
    network = SharedTrunk(trunk=Trunk(channels=[8, 8, 16, 16], width=16), channels=16, width=16, cells=2, margin=0.1)
    module = FindingsModule(network, trained, learning_rate=1e-3, weight_decay=0.01)
    return module.to(memory_format=torch.channels_last), images(base, way, "findings"), "val/auroc", "max"


def vqa_parts(base: Path, way: Way):
    return reader_parts(base, way, MODEL, OBJECTIVES)


def blip_parts(base: Path, way: Way):
    objectives = {"contrast": ImageTextContrast(warmup=20), "matching": HardMatching(), "generation": Generation()}
    return reader_parts(base, way, BLIP, objectives)


PARTS = {"vqa": vqa_parts, "blip": blip_parts, "anatomy": anatomy_parts, "findings": findings_parts}


class Processes:
    """The processes of one attempt at the training, or at another `work` of a way."""

    def __init__(self, folder: Path, way: Way, work=train):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)  # not this module: before Python 3.12.8 its folder is not looked into
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.all = [context.Process(target=work, args=(folder, way, rank, port)) for rank in range(way.world)]
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
