"""What the library of a series knows of its people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Impression:
    """How somebody sounds.

    Attributes:
        voiceprint: Only comparable with those of the same engine; empty where too little was heard.
        seconds: How much speech it was made from.
        traits: What voice analysis told; the ledger does not look into it. JSON.
    """

    voiceprint: tuple[float, ...]
    seconds: float
    traits: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """The speakers of one source.

    Attributes:
        script: Key of the script that they are the speakers of.
        engine: Identity of the engine that made the voiceprints; only people known by it are asked after.
        speakers: How each of them sounds, in the order in which new people are to be numbered.
    """

    script: str
    engine: str
    speakers: Mapping[str, Impression]


@dataclass(frozen=True, slots=True)
class AssignedVoice:
    """The voice that speaks for a person in one language.

    Attributes:
        language: BCP-47, as the jobs have it.
        engine: Whose voice it is; empty where a person has chosen it.
    """

    language: str
    engine: str
    voice: str

    @property
    def by_hand(self) -> bool:
        """A person has chosen it; that goes before what was cast, and before a cloned voice."""
        return not self.engine


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody's statement that a person agrees to be cloned.

    Attributes:
        job_id: For which it was stated; that may have been deleted since.
        key_id: API key of who stated it; empty where the service asks for none.
        wording: Version of the words, in `cluster.consent`.
        stated_at: UTC seconds since the epoch, on the database's clock.
    """

    job_id: str
    tenant: str
    key_id: str
    wording: int
    stated_at: float


@dataclass(frozen=True, slots=True)
class LibraryVoice:
    """A person of a series. Times are UTC seconds since the epoch on the database's clock.

    Attributes:
        label: Names the person within the series, for ever: `V1`, `V2`, ...
        engine: Identity of the diarizer that made the voiceprint.
        impression: Over the whole series.
        name: Given by a person; empty where none was.
        gender: Given by a person; empty where none was.
        reference: Names the sound that the person is cloned from; empty where there is none.
        met_at: When a source last had the person.
    """

    id: str
    tenant: str
    series: str
    label: str
    engine: str
    impression: Impression
    name: str
    gender: str
    reference: str
    created_at: float
    met_at: float
    voices: tuple[AssignedVoice, ...] = ()
    consents: tuple[Consent, ...] = ()


@dataclass(frozen=True, slots=True)
class VoicePage:
    """Some voices of a list; `cursor` asks for those after them, None where there are none."""

    voices: tuple[LibraryVoice, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """Which people of a series the speakers of one source are.

    Attributes:
        people: By speaker; who is not in it is nobody of the series.
        forgotten: Speakers whom this job knew as people that have been forgotten since.
    """

    people: dict[str, LibraryVoice]
    forgotten: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ForgottenVoice:
    """A person who is gone for everybody, and whose files are going.

    Attributes:
        cleared: The files were removed once; a last worker that had not noticed may still have written some.
    """

    id: str
    tenant: str
    cleared: bool


class Recogniser(Protocol):
    """Decides who is who. It is asked inside a transaction, perhaps more than once: it must be quick and pure."""

    def recognise(self, heard: Mapping[str, Impression], known: Mapping[str, Impression]) -> Mapping[str, str]:
        """Speaker -> id of a known voice, one-to-one; who is nobody of them is missing."""
        ...

    def is_enough(self, heard: Impression) -> bool:
        """Whether so much was heard that the library should learn from it."""
        ...

    def blend(self, known: Impression, heard: Impression) -> Impression:
        """What is known of a person after another source."""
        ...


Choose = Callable[[Mapping[str, tuple[AssignedVoice, ...]]], Mapping[str, str]]
"""Gets the voices of all people of a series in one language, those chosen by hand first, by the person's id; gives
those of the people of one source. Quick and pure as well."""
