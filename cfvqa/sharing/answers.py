"""What an answer about one or two images is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Likelihood:
    """How likely a finding is in an image: its highest `probability` over the regions, and the `region` of it."""

    probability: float
    region: str


@dataclass(frozen=True)
class FindingSeen:
    """A finding in the main image, and in the reference image where there is one.

    Attributes:
        finding: its name.
        main, reference: how likely it is in each image.
        difference: of the probabilities, main less reference.
    """

    finding: str
    main: Likelihood
    reference: Likelihood | None
    difference: float | None


@dataclass(frozen=True)
class Place:
    """A region in an image: its box x1, y1, x2, y2 in pixels of the file, and its share of all attention.

    The shares of all regions of both images are 1 together.
    """

    box: list[float]
    attention: float | None


@dataclass(frozen=True)
class RegionSeen:
    """A region in the main image, and in the reference image where there is one.

    Attributes:
        region: its name.
        attention: the sum of that in both images; None where the reader sees no image.
        main, reference: where it is.
    """

    region: str
    attention: float | None
    main: Place
    reference: Place | None


@dataclass(frozen=True)
class Prediction:
    """An answer and what it rests on.

    Attributes:
        main, reference: files of the images.
        question: as it was asked.
        answer: the reader's words.
        score: mean probability of the words, 0 to 1.
        findings: all of the vocabulary, the most probable in either image first.
        regions: all of the vocabulary, the most attended first.
        notes: what the user should know of how the question was read.
    """

    main: str
    reference: str | None
    question: str
    answer: str
    score: float
    findings: list[FindingSeen]
    regions: list[RegionSeen]
    notes: list[str]
