"""Whether a sentence says that a finding is there, that it is not, or neither: cues and how far they reach."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from cfvqa.language.grammar import any_of
from cfvqa.language.reports.naming import Named
from cfvqa.vocabulary.levels import LEVEL_WORDS
from cfvqa.vocabulary.reports import LOCATION_WORDS, TYPE_WORDS


class Status(Enum):
    """What a sentence says of a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    OPEN = "open"


_GRADES = "|".join(LEVEL_WORDS)
_HARD = re.compile(
    r"[;:()]|\b(?:but|however|although|though|while|whereas|yet|except(?: for)?|(?:aside|apart) from|other than|besides"
    r"|which|in addition to)\b|, (?:with|(?:more |most )?likely|probably|possibly)\b"
)
_SEEN = (
    r"(?:seen|identified|present|evident|visible|visuali[sz]ed|apparent|apprecia(?:ted|ble)|not(?:ed|iced)|demonstrated"
    r"|detected|found|observed|recogni[sz]ed|discern(?:ed|ible)|shown|delineated|perceived)"
)
_OCCURS = rf"(?:{_SEEN}|suspected|suggested|developed|occurred|recurred|appeared)"
_COPULA = "(?:is|are|was|were|has|have)"
_GOES_ON = rf"(?:{_COPULA} (?!(?:not )?(?:been )?(?:\w+ly )?{_OCCURS}\b)|remains?\b|persists?\b|(?:appears?|seems?)\b)"
_OTHERWISE = "and|or|nor|since|as|after|when|where|because|who|that|what|if|than"  # it is said of something else
_ANEW = f"a|an|the|now|again|stable|unchanged|persistent|{_GRADES}"  # what begins to say of a finding that it is there
_APART = (
    "only|some|new|old|known|chronic|interval|continued|residual|slight|tiny|large|left|right|bilateral|bibasilar"
    "|(?:improv|worsen|increas|decreas)(?:ed|ing)"
)
_SUBJECT = rf"(?:(?!(?:{_OTHERWISE}|evidence|signs?)\b)[\w-]+ ){{1,6}}?"
_SOFT = re.compile(
    rf"(?P<told>(?:, and|,| and) )(?={_SUBJECT}{_GOES_ON})"
    rf"|(?:, and|,| and) (?=(?:{_ANEW}|there|no|is|are)\b)"
    rf"|(?P<beside> with )(?<!(?:consistent|compatible|associated|in keeping) with )(?=(?:{_ANEW}|{_APART})\b)"
    rf"|(?P<seen>, )(?={_SUBJECT}{_COPULA} (?:been )?(?:\w+ly )?{_OCCURS}\b)"
)
_PLAIN = any_of((
    *_ANEW.split("|"), *TYPE_WORDS, *LOCATION_WORDS, "lobes", "bases", "to", "and", "very", "amounts", "amount", "of",
    "pulmonary", "congestive", "thoracic", "hiatal", "airspace", "basal", "hazy", "diffuse",
))  # fmt: skip
_ONLY_PLAIN = re.compile(rf"(?:(?:{_PLAIN}|{_APART})(?:, | ))*")
_OR = re.compile(r"\b(?:or|nor)\b")
_THAN = re.compile(r"(?<!rather) than\b")
_LISTED = re.compile(r"\b(?:and|or)\b")
_ASIDE = re.compile(r",| with\b")
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|remains?|persists?|appears?)\b")

_DEGREES = (
    "(?:(?:significant|substantial|interval|complete|full|appreciable|definite|major|marked|new|further|relevant|real"
    "|gross) )*"
)
_CHANGE = (
    rf"(?:evidence of )?{_DEGREES}(?:changes?|increase|decrease|improvement|worsening|progression|growth"
    "|resolution|clearing) ?(?:in|of|from|since|to|$)"
)
_PARTLY = (
    "(?:not(?: yet)?|nearly|almost|partially|partly|largely|mostly|incompletely|near|virtually|essentially|practically"
    "|for the most part)(?:[ -](?:complete|total|entire|full|all)(?:ly|y)?)?(?: interval)?"
)
_WELL = r"(?:\w+ly )?"
_SHOW = "(?:document|confirm|ensure|establish|verify|demonstrate|show|monitor|(?:assess|evaluate)(?: for)?)"
_FULL = "(?:(?:complete|full|interval) )?"
_NOW = r"(?:now |since |completely |fully |entirely |also |all |interval )*"
_EARLIER = r"(?:on|in|at|during) (?:the |a |any )?(?:\w+ ){0,2}?(?:prior|previous|earlier|preceding)\b"
_ANSWER = (
    rf" ?(?:[:(=?]|-+)? ?(?:none|nil|no(?: evidence)?|absent|negative)(?: {_SEEN})?(?: on the (?:left|right))?"
    r"(?= ?(?:[,;)]|$))"
)
_QUESTION = re.compile(
    r"(?:^(?:is|are|was|were|do|does|did|has|have|can|could|any|what|which|where|why|how)"
    r"|\b(?:is|are|was|were) (?:there|this|that|it)|\bany)\b.*\?$"
)
_STUDIES = "(?:exam|examination|study|studies|radiographs?|films?|images?|ct|x-ray|chest)"

_CUES: dict[str, str] = {
    # What only looks like a cue.
    "none": rf"(?:no|without) {_CHANGE}|{_PARTLY}[ -](?:resolved|resolution|cleared|clearing|disappeared)"
    rf"|(?:partial|incomplete) (?:resolution|clearing)|not only|unresolved|no doubt"
    rf"|not {_WELL}(?:changed|improved|increased|decreased|worsened|progressed)"
    rf"|not (?:previously|formerly) {_SEEN}|not {_WELL}{_SEEN} {_EARLIER}"
    "|(?:(?:has|have) )?(?:resolved|cleared),? for the most part",
    "open_behind": rf"cannot be {_WELL}(?:excluded|ruled out)|not {_WELL}(?:be )?{_WELL}(?:excluded|ruled out)"
    r"|(?:should|must|to) be (?:excluded|ruled out)",
    "open_either": "(?:difficult|hard) to (?:exclude|rule out)",
    "open_before": rf"(?:(?<!continue )(?<!continues )to {_SHOW}|until|pending) {_FULL}"
    r"(?:resolution|clearing|disappearance) of"
    r"|cannot (?:\w+ly )?(?:exclude|rule out)|not (?:\w+ly )?(?:exclude|rule out)|to (?:exclude|rule out)"
    r"|rule out|evaluat(?:e|ion) for|evaluat(?:e|ion) of (?:possible|suspected|potential)|assess(?:ment)? for"
    r"|looking for|correlat(?:e|ion) (?:\w+ ){0,3}(?:for|(?:signs?|symptoms?) of)|^if\b|, if\b|\bif there is",
    "past": rf"history of|status post|^(?:prior|previous|past)(?! {_STUDIES}\b)",
    "absent_other_before": r"(?:(?:is|are|was|were|seems?|appears?) )?(?:felt |thought )?(?:\w+ly )?(?:un|less )likely"
    rf" to (?:be(?! (?:{_SEEN}|significant)\b)|represent|reflect|indicate|suggest)",
    "absent_likelier_behind": rf"(?:(?:is|are|was|were) )?{_WELL}less likely than",
    "absent_behind": rf"(?:has|have|had|is|are|was|were) {_NOW}(?:resolved|cleared|disappeared|gone away)"
    rf"|(?:has been|have been|is|are|was|were) {_NOW}(?:excluded|ruled out|absent|gone|{_WELL}unlikely|less likely)"
    rf"|no longer {_WELL}{_SEEN}|not {_WELL}{_SEEN}",
    "absent_answer_behind": _ANSWER,
    "absent_either": "resolved|unlikely|absent|less likely",
    "absent_before": "(?:no longer|no|without|not|nor|neither|negative for|free (?:of|from)|clear of|absence of"
    "|rather than|as opposed to|resolution of|clearing of|disappearance of|denies)(?: ?:)?",
}
_CUE = re.compile(r"\b(?:" + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _CUES.items()) + r")(?!\w)")


@dataclass(frozen=True, slots=True)
class _Scope:
    """Part of a sentence in which findings have a status."""

    status: Status
    start: int
    end: int

    def holds(self, named: Named) -> bool:
        """Whether the last word of a finding's name lies in it."""
        return self.start < named.end <= self.end


def borders(sentence: str) -> list[int]:
    """Return where the parts of a sentence that stand for themselves begin or end.

    What "which" begins speaks of the finding before it.
    """
    return [place for match in _HARD.finditer(sentence) if match[0] != "which" for place in match.span()]


def statuses(sentence: str, names: list[Named]) -> list[Status]:
    """Return what a plain sentence says of each finding that it names: denied counts before open, open before there."""
    scopes = [scope for cue in _CUE.finditer(sentence) if (scope := _scope(sentence, cue, names)) is not None]
    if asked := _QUESTION.search(sentence):
        scopes = [_Scope(Status.OPEN, asked.start(), asked.end())]
    return [_status({scope.status for scope in scopes if scope.holds(named)}) for named in names]


def _status(said: set[Status]) -> Status:
    return next((status for status in (Status.ABSENT, Status.OPEN) if status in said), Status.PRESENT)


def _scope(sentence: str, cue: re.Match[str], names: list[Named]) -> _Scope | None:
    kind = str(cue.lastgroup)
    if kind == "none":
        return None
    status = Status.ABSENT if kind.startswith("absent") else Status.OPEN
    end = _reach(sentence, cue.end(), names, past=kind == "past")
    likelier = _THAN.search(sentence, cue.end(), end) if "likely" in cue[0] else None
    ahead = _Scope(status, cue.end(), likelier.start() if likelier else end)
    behind = _Scope(status, _backward(sentence, cue, names), cue.start())
    if kind.endswith("either"):
        return ahead if any(ahead.holds(named) for named in names) else behind
    return behind if kind.endswith("behind") else ahead


def _reach(sentence: str, start: int, names: list[Named], *, past: bool) -> int:
    """Return where a cue ends that reaches ahead: at the next part of the sentence, or of a list that changes over.

    A comma before an article or a level ends it too, unless "or" shows that the list goes on; and so do "with" before
    a finding, and a comma or "and" before one of which the sentence says how it is. That it is "seen" may be said of a
    whole list, but for the first comma.
    """
    hard = _HARD.search(sentence, start)
    end = hard.start() if hard else len(sentence)
    if past and (comma := _ASIDE.search(sentence, start, end)):
        return comma.start()
    for soft in _turns(sentence, names, start, end):
        goes_on = soft[0] == ", " and not soft["told"] and _OR.search(sentence, soft.end(), end)
        if not goes_on and not (soft["seen"] and "," in sentence[start : soft.start()]):
            return soft.start()
    return end


def _turns(sentence: str, names: list[Named], start: int, end: int) -> Iterator[re.Match[str]]:
    """Yield where a sentence seems to turn to something else; at "with" only if a finding is what comes next."""
    for soft in _SOFT.finditer(sentence, start, end):
        following = next((named.start for named in names if named.start >= soft.end()), -1)
        if not soft["beside"] or (following >= 0 and _ONLY_PLAIN.fullmatch(sentence, soft.end(), following)):
            yield soft


def _backward(sentence: str, cue: re.Match[str], names: list[Named]) -> int:
    """Return where a cue begins that reaches back; behind "which" at the finding that "which" stands for.

    What is unlikely there is something else about that finding.
    """
    start = _beginning(sentence, cue.start(), names)
    which = next(reversed(list(_HARD.finditer(sentence, 0, cue.start()))), None)
    if which is None or which[0] != "which" or "likely" in cue[0]:
        return start
    return max((named.start for named in names if named.end <= which.start()), default=start)


def _beginning(sentence: str, end: int, names: list[Named]) -> int:
    """Return where a cue begins that reaches back: at the part of the sentence that it stands in."""
    start = max((match.end() for match in _HARD.finditer(sentence, 0, end)), default=0)
    for soft in _turns(sentence, names, start, len(sentence)):
        if soft.end() < end and _VERB.search(sentence, start, soft.start()):
            start = soft.end()
    comma = sentence.rfind(",", start, end)
    if comma < 0 or not any(comma < named.start < end for named in names):
        return start
    last, others = sentence[comma + 1 : end], sentence[start:comma]
    goes_on = _LISTED.search(last) is not None and not (last.startswith(" and ") and "," not in others)
    return start if goes_on else comma + 1
