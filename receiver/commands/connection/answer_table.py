"""What each of Dataverse's codes means, printed from the code: a table a class. docs/answers.md holds this output."""

from __future__ import annotations

from collections.abc import Iterator

from receiver.dataverse.known_answers import KNOWN, Known
from receiver.errors import AnswerClass

HEADINGS = {
    AnswerClass.PASSING: "Passing",
    AnswerClass.SET_UP: "Set-up",
    AnswerClass.DATA: "This record's own",
}
#: what a set-up code closes where the table of codes names no gate
ITS_OWN_OPERATION = "the operation on the table"
BY_ITSELF = "Nothing: it is tried again by itself."
AS_IT_SAYS = "Mend what the message names, then Process Again."
UNTIL_THEN = {AnswerClass.PASSING: BY_ITSELF, AnswerClass.DATA: AS_IT_SAYS}


def answer_tables() -> str:
    """Markdown: of each class its codes, what they mean, what closes, and what a person can do."""
    return "\n".join(line for answer, heading in HEADINGS.items() for line in _table(answer, heading))


def _table(answer: AnswerClass, heading: str) -> Iterator[str]:
    closes = answer is AnswerClass.SET_UP
    yield f"### {heading}"
    yield ""
    yield "| Code | Means | Closes | What to do |" if closes else "| Code | Means | What to do |"
    yield "|---|---|---|---|" if closes else "|---|---|---|"
    for code, known in KNOWN.items():
        if known.answer is answer:
            yield _line(code, known, closes=closes)
    yield ""


def _line(code: str, known: Known, *, closes: bool) -> str:
    gate = f"`{known.gate}`" if known.gate else ITS_OWN_OPERATION
    cells = [f"`{code}`", known.means, *([gate] if closes else []), known.remedy or UNTIL_THEN[known.answer]]
    return f"| {' | '.join(cells)} |"
