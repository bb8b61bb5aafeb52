"""Levels: the words that say how much of a finding there is, and their order."""

LEVEL_WORDS: tuple[str, ...] = (
    "moderately", "moderate", "acute", "mildly", "mild", "small", "severe", "moderate to large",
    "moderate to severe", "mild to moderate", "minimal", "subtle", "massive", "minimally", "increasing",
    "decreasing", "minor", "trace",
)  # fmt: skip
"""The level words of Medical-Diff-VQA, in the order of its library."""

SEVERITY: dict[str, int] = {
    "minimal": 1, "minimally": 1, "subtle": 1, "minor": 1, "trace": 1, "mild": 1, "mildly": 1, "small": 1,
    "mild to moderate": 2, "moderate": 2, "moderately": 2,
    "moderate to large": 3, "moderate to severe": 3, "severe": 3, "massive": 3,
}  # fmt: skip
"""Severity 1 to 3 of a level. "acute", "increasing" and "decreasing" say no size and have none."""

SEVERITIES = 3
