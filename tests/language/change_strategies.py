"""What the tests of changes draw from."""

from hypothesis import strategies as st

from cfvqa.language.grammar import Change, ChangeKind
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS


def readings(before, after):
    """All ways to cut "before to after" into two levels; the published grammar allows a few texts with two."""
    words = f"{before} to {after}".split()
    cuts = [(" ".join(words[:i]), " ".join(words[i + 1 :])) for i, word in enumerate(words) if word == "to"]
    return [cut for cut in cuts if set(cut) <= set(LEVEL_WORDS)]


LEVEL_PAIRS = [(a, b) for a in LEVEL_WORDS for b in LEVEL_WORDS if a != b]
CLEAR_PAIRS = [pair for pair in LEVEL_PAIRS if len(readings(*pair)) == len(readings(*reversed(pair))) == 1]


@st.composite
def change_sets(draw):
    findings = draw(st.lists(st.sampled_from(ANSWER_FINDINGS), unique=True, max_size=6))
    changes = set()
    for finding in findings:
        kind = draw(st.sampled_from(list(ChangeKind)))
        levels = (None, None)
        if kind is ChangeKind.LEVEL:
            levels = draw(st.sampled_from(CLEAR_PAIRS))
        changes.add(Change(finding, kind, *levels))
    return frozenset(changes)
