"""The words of one language: what the machine translated, with what people have written laid over."""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.ledger.ledger import Ledger
from cluster.ledger.records import ScriptEdits, Stage, StageStatus
from dataflow.records import DubbedLine, PassageLines
from dataflow.stored import Stored

EDITED = "edited"
"""Flag of a line that a person has written."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What is to be said in a language.

    Attributes:
        machine: The translator's lines by utterance id; those that it could not translate are missing.
        edits: What people have written.
    """

    machine: Mapping[str, DubbedLine]
    edits: ScriptEdits

    @property
    def lines(self) -> dict[str, DubbedLine]:
        """The lines that are to be spoken; the original sound is kept of all others.

        People's lines are spoken as they are written: no shorter variant takes their place.
        """
        written = {
            utterance: DubbedLine(utterance, text, None, (EDITED,)) for utterance, text in self.edits.texts.items()
        }
        lines = {**self.machine, **written}
        return {utterance: line for utterance, line in lines.items() if line.text.strip()}


def edits_of(ledger: Ledger, job_id: str, language: str, revision: int) -> ScriptEdits:
    """What people have written, as of a revision."""
    return ledger.edits(job_id, language, revision) if revision else ScriptEdits(0, {})


def read_wording(ledger: Ledger, stored: Stored, job_id: str, language: str, revision: int) -> Wording:
    """The words of a language whose translation is over."""
    parts = ledger.parts(job_id, Stage.TRANSLATION, language)
    passages = [stored.get(PassageLines, part.key) for part in parts if part.status is StageStatus.COMPLETED]
    machine = {line.utterance_id: line for passage in passages for line in passage.lines}
    return Wording(machine, edits_of(ledger, job_id, language, revision))
