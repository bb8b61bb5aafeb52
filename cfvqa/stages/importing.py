"""Features that somebody else extracted, imported in place of an extraction: no vision model is trained or asked."""

from pathlib import Path

from omegaconf import DictConfig

from cfvqa.data.feature_store import has_shard, shard_name, split_into_shards, write_index, write_shard
from cfvqa.data.published_features import MISSING, open_published, published_fingerprint
from cfvqa.progress import StageConsole, counting
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.tables import load_tables, tables
from cfvqa.vocabulary.regions import REGIONS


def imports(config: DictConfig) -> bool:
    """Whether the features of a config are imported."""
    return config.extraction.published is not None


def imported(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the features that are imported, if need be; shards hold neighbours of the published file."""
    source = tables(config, console)
    published, rows = str(config.extraction.published), config.extraction.rows_per_shard
    stage_id = identify("published", source.id, published_fingerprint(published), rows)
    stage = Stage("features", Path(config.work) / "features" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        images = load_tables(source).images
        with open_published(published) as file, counting(console, "importing", len(images)) as count:
            placed = file.in_order(images)
            shards = split_into_shards(placed["image_id"].to_list(), rows)
            for number, ids in shards.items():
                if not has_shard(folder, number, ids):
                    write_shard(folder / shard_name(number), ids, file.read(placed.slice(number * rows, rows)))
                count(number * rows + len(ids))
        write_index(folder)
        known = f"{len(REGIONS) - len(MISSING)} of {len(REGIONS)} (without {', '.join(MISSING)})"
        return {"images": str(len(images)), "shards": str(len(shards)), "regions": known}

    return ensure(stage, make, console)
