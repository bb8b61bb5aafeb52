"""By what a run was judged: only where that is the same do figures of two runs stand side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cfvqa.errors import InputError

_DATA = ("tables", "split", "name", "version", "licence")


@dataclass(frozen=True)
class JudgedBy:
    """The questions and the scorers of a run.

    Attributes:
        run: as messages name it.
        data: what it was judged on, as `metrics.json` has it.
        scorers: text score -> version of what computed it.
    """

    run: str
    data: dict[str, Any]
    scorers: dict[str, str]

    @classmethod
    def of(cls, run: str, metrics: Mapping[str, Any]) -> "JudgedBy":
        """Take both from the content of `metrics.json`; what it raises of damaged content is in `files.DAMAGE`."""
        data = {name: metrics["data"][name] for name in _DATA}
        return cls(run, data, {name: scorer["version"] for name, scorer in metrics["scorers"].items()})

    @property
    def asked(self) -> str:
        """Which questions, in words: data set, version, split, and id of the tables."""
        return "{name} {version}, split {split} (tables {tables})".format(**self.data)

    @property
    def versions(self) -> str:
        """Which scorers, in words."""
        return ", ".join(sorted(set(self.scorers.values())))

    def check_same(self, other: "JudgedBy") -> None:
        """Refuse another run that was judged by something else.

        Raises:
            InputError: naming both runs and in what they differ.
        """
        if other.asked != self.asked:
            raise InputError(
                f"runs: {self.run} was judged on {self.asked}, and {other.run} on {other.asked}: give runs that were "
                "asked the same questions"
            )
        if other.scorers != self.scorers:
            raise InputError(
                f"runs: {self.run} was scored by {self.versions}, and {other.run} by {other.versions}: delete "
                "the folder `evaluation` of the older one, and judge it again (cfvqa-evaluate)"
            )
