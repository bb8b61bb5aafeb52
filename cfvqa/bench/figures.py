"""What the bench prints: one row a figure."""

from dataclasses import dataclass

HEADER = ["measured", "this code", "beside it", "ratio", "what limits it"]


@dataclass(frozen=True)
class Figure:
    """One measured comparison.

    Attributes:
        measured: what.
        ours: what this code reaches, with its unit.
        other: what stands beside it, with its unit.
        ratio: of the two.
        meaning: of the ratio, behind the number ("times as long").
        limit: one sentence: what keeps the figure from being better.
    """

    measured: str
    ours: str
    other: str
    ratio: float
    meaning: str
    limit: str

    def cells(self) -> list[str]:
        """Return the row, in the order of `HEADER`."""
        return [self.measured, self.ours, self.other, f"{self.ratio:.2f} {self.meaning}", self.limit]


def of_step(seconds: float) -> str:
    """Return the seconds of a step to three digits, in milliseconds where there is less than one."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
