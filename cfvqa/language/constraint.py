"""Answers to difference questions, token by token: which may come next, if the answer shall follow the grammar."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cfvqa.language.grammar import NOTHING
from cfvqa.language.tokenizer import SEP, UNK, Tokenizer
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

Ids = tuple[int, ...]

_START, _SENTENCE_END, _END = "start", "sentence end", "end"
_LEVEL, _ADDED, _REMOVED = "level", "added", "removed"
_BEFORE, _AFTER = "before", "after"
_SENTENCES = (_LEVEL, _ADDED, _REMOVED)
_LISTS: dict[str, tuple[str, str]] = {
    _ADDED: ("the main image has an additional finding of", "the main image has additional findings of"),
    _REMOVED: ("the main image is missing the finding of", "the main image is missing the findings of"),
}
"""How the sentence begins that names one finding, or several."""


@dataclass(frozen=True)
class Place:
    """A place in an answer where it can go on in several ways.

    Attributes:
        at: what has just been said.
        sentence: that it belongs to, or ended.
        named: findings of the answer so far: each is named once.
        level: that a finding had before.
    """

    at: str
    sentence: str = ""
    named: frozenset[str] = frozenset()
    level: str = ""


@dataclass(frozen=True)
class Way:
    """Tokens that must come next, and the place behind them."""

    ids: Ids
    then: Place


class AnswerConstraint:
    """The grammar of `write_changes`, by the tokens of a tokenizer.

    Level sentences come first, then additional findings, then missing ones; each finding is named once, and no level
    changes to itself. Findings and levels that the tokenizer has no words for cannot be said.

    Args:
        tokenizer: whose tokens of a text are those of its words, one behind the other.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._unknown, self._end = tokenizer.id_of(UNK), tokenizer.id_of(SEP)
        self._of_text: dict[str, Ids] = {}
        self._findings = list(self._sayable(ANSWER_FINDINGS))
        self._levels = list(self._sayable(LEVEL_WORDS))

    def begin(self) -> list[Way]:
        """Return the ways in which an answer can begin."""
        return list(self._ways(Place(_START)))

    def forward(self, ways: Sequence[Way], token: int) -> list[Way]:
        """Return the ways on behind a token; none where it does not follow the grammar, or ends the answer."""
        left = []
        for way in ways:
            if way.ids[0] == token:
                left += [Way(way.ids[1:], way.then)] if len(way.ids) > 1 else self._ways(way.then)
        return left

    def _ways(self, place: Place) -> Iterator[Way]:
        if place.at == _START:
            if self._unknown not in self._ids(NOTHING):
                yield self._way(NOTHING, Place(_SENTENCE_END, _REMOVED))
            yield from self._sentences(_SENTENCES, place)
        elif place.at == _SENTENCE_END:
            yield Way((self._end,), Place(_END))
            further = _SENTENCES.index(place.sentence) + (place.sentence != _LEVEL)
            yield from self._sentences(_SENTENCES[further:], place) if place.named else ()
        elif place.sentence == _LEVEL:
            yield from self._levels_of(place)
        elif place.at != _END:
            yield from self._list(place)

    def _sentences(self, kinds: Iterable[str], place: Place) -> Iterator[Way]:
        """Yield the beginnings of sentences, with their first finding."""
        unnamed = self._unnamed(place)
        for finding in unnamed:
            named = place.named | {finding}
            for kind in kinds:
                if kind == _LEVEL:
                    if len(self._levels) > 1:
                        yield self._way(f"the level of {finding} has changed from", Place(_BEFORE, kind, named))
                    continue
                one, several = _LISTS[kind]
                yield self._way(f"{one} {finding} than the reference image.", Place(_SENTENCE_END, kind, named))
                if len(unnamed) > 1:
                    yield self._way(f"{several} {finding}", Place(_AFTER, kind, named))

    def _levels_of(self, place: Place) -> Iterator[Way]:
        for level in self._levels:
            if place.at == _BEFORE:
                yield self._way(f"{level} to", Place(_AFTER, _LEVEL, place.named, level))
            elif level != place.level:
                yield self._way(f"{level}.", Place(_SENTENCE_END, _LEVEL, place.named))

    def _list(self, place: Place) -> Iterator[Way]:
        """Yield the next findings of a list, each also as its last."""
        unnamed = self._unnamed(place)
        for finding in unnamed:
            named = place.named | {finding}
            if len(unnamed) > 1:
                yield self._way(f", {finding}", Place(_AFTER, place.sentence, named))
            end = f", and {finding} than the reference image."
            yield self._way(end, Place(_SENTENCE_END, place.sentence, named))

    def _unnamed(self, place: Place) -> list[str]:
        return [finding for finding in self._findings if finding not in place.named]

    def _sayable(self, texts: Iterable[str]) -> Iterator[str]:
        return (text for text in texts if self._unknown not in self._ids(text))

    def _way(self, text: str, then: Place) -> Way:
        return Way(self._ids(text), then)

    def _ids(self, text: str) -> Ids:
        if text not in self._of_text:
            ids, mask = self._tokenizer.encode([text], max_length=64)
            self._of_text[text] = tuple(ids[0][mask[0]].tolist()[1:-1])
        return self._of_text[text]
