"""Where the files of the releases lie that `source=mimic` reads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cfvqa.errors import InputError
from cfvqa.sources import chest_imagenome, key_information, medical_diff_vqa, mimic_cxr_jpg, report_files
from cfvqa.sources.csv_files import find_csv
from cfvqa.sources.paths import existing_file, existing_root
from cfvqa.sources.source import FileTree, Wanted

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_CONTENT = ("files", "silver_dataset", "gold_dataset", "*.csv", "*.csv.gz", "*.json")  # of any of the releases


@dataclass(frozen=True)
class MimicReleases:
    """Folders of the releases; each is looked for when it is asked for, so that all that are missing can be named.

    Attributes:
        root: folder that holds them.
        images, graphs, questions, dicom, reports: folders below it, see `mimic.MimicSource`.
    """

    root: Path | str
    images: str
    graphs: str
    questions: str
    dicom: str | None
    reports: str | None

    @property
    def suffix(self) -> str:
        """Of the image files."""
        return ".jpg" if self.dicom is None else ".dcm"

    @property
    def table_root(self) -> Path:
        """Of the tables of MIMIC-CXR-JPG."""
        return self._release(self.images, mimic_cxr_jpg.KEY)

    @property
    def image_root(self) -> Path:
        """Of the image files."""
        return self.table_root if self.dicom is None else self._release(self.dicom, "source.dicom")

    @property
    def graph_root(self) -> Path:
        """Of the scene graphs."""
        return self._release(self.graphs, "source.graphs")

    @property
    def question_root(self) -> Path:
        """Of the questions and the key information."""
        return self._release(self.questions, medical_diff_vqa.KEY)

    @property
    def report_root(self) -> Path:
        """Of the report texts."""
        return self._release(str(self.reports), f"source.{report_files.KEY}")

    @property
    def metadata(self) -> Path:
        """The table of the images."""
        return self._published(mimic_cxr_jpg.METADATA)

    @property
    def studies(self) -> Path:
        """The table of the studies that questions are about."""
        return self._asked(medical_diff_vqa.STUDIES)

    def check(self, version: str) -> None:
        """Look for the folders that no reading does without.

        Args:
            version: that the questions are said to be of.

        Raises:
            InputError: naming the first that is not there, or that of the questions if it is named by another version.
        """
        for root in (self.table_root, self.image_root, self.graph_root, self.question_root):
            root.stat()
        named = self.question_root.name
        if _VERSION.fullmatch(named) and named != version:
            raise InputError(
                f"{self.question_root} is of version {named} by its name, but source.version is {version}, which "
                f"stands on all that is made of it: give source.version={named}, or the folder of {version}"
            )

    def wanted(self, labels: str, gold: Mapping[str, Callable[[Path], Path]]) -> tuple[Wanted, ...]:
        """Return what a reading needs.

        Args:
            labels: who labelled the reports.
            gold: name of a file among the scene graphs -> what finds it below their root.
        """
        published = (mimic_cxr_jpg.METADATA, mimic_cxr_jpg.SPLIT)
        asked = (medical_diff_vqa.STUDIES, medical_diff_vqa.QUESTIONS)
        return (
            *(Wanted(f"{self.images}/{name}", partial(self._published, name)) for name in published),
            Wanted(
                f"{self.images}/{mimic_cxr_jpg.LABELS.get(labels, labels)}",
                lambda: mimic_cxr_jpg.labels_file(self.table_root, labels),
            ),
            *(Wanted(f"{self.questions}/{name}", partial(self._asked, name)) for name in asked),
            Wanted(f"{self.questions}/{key_information.RECORDS}", self._records),
            *(Wanted(f"{self.graphs}/{name}", partial(self._gold, find)) for name, find in gold.items()),
            *([] if self.reports is None else [Wanted(f"{self.reports}/files", self._report_tree)]),
            Wanted(f"{self.dicom or self.images}/files", self._image_tree),
            Wanted(self.graphs, self._graph_tree),
        )

    def _release(self, name: str, key: str) -> Path:
        return release_folder(existing_root(existing_root(self.root) / name, key), f"{key}={name}")

    def _published(self, name: str) -> Path:
        return find_csv(self.table_root, name, mimic_cxr_jpg.KEY)

    def _asked(self, name: str) -> Path:
        return find_csv(self.question_root, name, medical_diff_vqa.KEY)

    def _records(self) -> Path:
        return existing_file(self.question_root, key_information.RECORDS, medical_diff_vqa.KEY)

    def _gold(self, find: Callable[[Path], Path]) -> Path:
        return find(self.graph_root)

    def _image_tree(self) -> FileTree:
        return FileTree(self.image_root / "files", self.suffix)

    def _report_tree(self) -> FileTree:
        return FileTree(self.report_root / "files", report_files.SUFFIX)

    def _graph_tree(self) -> FileTree:
        return FileTree(chest_imagenome.graph_folder(self.graph_root), "_SceneGraph.json")


def release_folder(folder: Path, given: str) -> Path:
    """Return the folder of a release, or the one in it that a version names: so PhysioNet's downloads lie.

    Args:
        folder: that holds the release, or its version.
        given: key and value of it, for the message.

    Raises:
        InputError: if it holds several versions, and no release beside them.
    """
    versions = sorted(path.name for path in folder.iterdir() if _VERSION.fullmatch(path.name) and path.is_dir())
    if not versions or any(any(folder.glob(pattern)) for pattern in _CONTENT):
        return folder
    if len(versions) > 1:
        raise InputError(f"{folder} holds releases {' and '.join(versions)}: choose one, {given}/{versions[-1]}")
    return folder / versions[0]
