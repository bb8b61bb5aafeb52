"""Answers to difference questions, token by token: which may come next, if the answer shall follow the grammar."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cfvqa.language.grammar import (
    BEGINNINGS,
    CLOSE,
    LEVEL_BEGINNING,
    LEVEL_MIDDLE,
    NOTHING,
    SYNONYMS,
    official_name,
)
from cfvqa.language.tokenizer import SEP, UNK, Tokenizer
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

Ids = tuple[int, ...]

_START, _SENTENCE_END, _END = "start", "sentence end", "end"
_FINDING, _BEFORE, _AFTER = "finding", "level before", "level after"
_LEVEL, _ADDED, _REMOVED = range(3)


@dataclass(frozen=True)
class _Form:
    """A form of a sentence.

    Attributes:
        order: of what it tells; level sentences come first, and may be several.
        begin: words before the first finding.
        end: words that follow findings.
        several: whether it names several findings.
    """

    order: int
    begin: str
    end: str
    several: bool = False


_FORMS = (
    _Form(_LEVEL, LEVEL_BEGINNING, LEVEL_MIDDLE),
    *(
        _Form(order, begin, CLOSE, several=begin == several)
        for order, (one, several) in zip((_ADDED, _REMOVED), BEGINNINGS.values(), strict=True)
        for begin in (one, several)
    ),
)


@dataclass(frozen=True)
class Place:
    """A place in an answer where it can go on in several ways.

    Attributes:
        at: what has just been said.
        order: of the sentence that it belongs to, or ended.
        named: official names of the findings of the answer so far: each is named once.
        before, after: levels that were said of a finding.
    """

    at: str
    order: int = _REMOVED
    named: frozenset[str] = frozenset()
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Way:
    """Tokens that must come next, and the place behind them."""

    ids: Ids
    then: Place


class AnswerConstraint:
    """The grammar of `write_changes`, by the tokens of a tokenizer.

    Level sentences come first, then additional findings, then missing ones; each finding is named once, and no level
    changes to itself. What the tokenizer has no words for cannot be said.

    Args:
        tokenizer: whose tokens of a text are those of its words, one behind the other.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._unknown, self._end = tokenizer.id_of(UNK), tokenizer.id_of(SEP)
        self._of_text: dict[str, Ids] = {}
        self._findings = list(filter(self._is_known, (*ANSWER_FINDINGS, *SYNONYMS)))
        self._levels = list(filter(self._is_known, LEVEL_WORDS))
        self._forms = list(filter(self._is_sayable, _FORMS))

    def begin(self) -> list[Way]:
        """Return the ways in which an answer can begin; none where the tokenizer has no words for any."""
        return list(self._ways(Place(_START)))

    def forward(self, ways: Sequence[Way], token: int) -> list[Way]:
        """Return the ways on behind a token; none where it does not follow the grammar, or ends the answer."""
        left: list[Way] = []
        for way in ways:
            if way.ids[0] == token:
                left += [Way(way.ids[1:], way.then)] if len(way.ids) > 1 else self._ways(way.then)
        return left

    def _ways(self, place: Place) -> Iterator[Way]:
        if place.at == _START:
            if self._is_known(NOTHING):
                yield self._way(NOTHING, Place(_SENTENCE_END))
            yield from self._sentences(_LEVEL, place)
        elif place.at == _SENTENCE_END:
            yield Way((self._end,), Place(_END))
            if place.named:
                yield from self._sentences(place.order + (place.order != _LEVEL), place)
        elif place.at == _FINDING:
            yield from self._list(place)
        elif place.at != _END:
            yield from self._said_levels(place)

    def _sentences(self, first: int, place: Place) -> Iterator[Way]:
        """Yield the beginnings of sentences, from an order on, with their first finding."""
        unnamed = self._unnamed(place)
        for form in self._forms:
            if form.order < first or (form.several and len(unnamed) < 2):
                continue
            at = _BEFORE if form.order == _LEVEL else _FINDING if form.several else _SENTENCE_END
            for finding in unnamed:
                text = f"{form.begin} {finding}{'' if form.several else form.end}"
                yield self._way(text, Place(at, form.order, place.named | {official_name(finding)}))

    def _list(self, place: Place) -> Iterator[Way]:
        """Yield the next findings of a list, each also as its last."""
        unnamed = self._unnamed(place)
        for finding in unnamed:
            named = place.named | {official_name(finding)}
            if len(unnamed) > 1:
                yield self._way(f", {finding}", replace(place, named=named))
            yield self._way(f", and {finding}{CLOSE}", Place(_SENTENCE_END, place.order, named))

    def _said_levels(self, place: Place) -> Iterator[Way]:
        """Yield the next word of a level, as its last and, as the release joins two by a blank, as its first of two."""
        part = "before" if place.at == _BEFORE else "after"
        first = getattr(place, part)
        for word in self._levels:
            level = f"{first} {word}".strip()
            if word != first and level != place.before:
                if place.at == _BEFORE:
                    yield self._way(f"{word} to", replace(place, at=_AFTER, before=level))
                else:
                    yield self._way(f"{word}.", Place(_SENTENCE_END, _LEVEL, place.named))
            if not first and any(f"{word} {other}" != place.before for other in self._levels if other != word):
                yield self._way(word, replace(place, **{part: word}))

    def _unnamed(self, place: Place) -> list[str]:
        return [finding for finding in self._findings if official_name(finding) not in place.named]

    def _is_sayable(self, form: _Form) -> bool:
        words = [form.begin, form.end, ", and" if form.several else "", "to." if form.order == _LEVEL else ""]
        return self._is_known(" ".join(words)) and (form.order != _LEVEL or len(self._levels) > 1)

    def _is_known(self, text: str) -> bool:
        return self._unknown not in self._ids(text)

    def _way(self, text: str, then: Place) -> Way:
        return Way(self._ids(text), then)

    def _ids(self, text: str) -> Ids:
        if text not in self._of_text:
            ids, mask = self._tokenizer.encode([text], max_length=64)
            self._of_text[text] = tuple(ids[0][mask[0]].tolist()[1:-1])
        return self._of_text[text]
