"""Which engine of speech speaks a language: nobody falls back silently, the same question has the same answer."""

from collections.abc import Sequence

from actors.contracts.speech import Synthesizer


class Speakers:
    """The engines of speech that a plan names.

    Args:
        engines: At least one; the preferred one first.
    """

    def __init__(self, engines: Sequence[Synthesizer]) -> None:
        self.engines = tuple(engines)

    @property
    def names(self) -> str:
        """What they are called, for people."""
        return ", ".join(engine.info.name for engine in self.engines)

    @property
    def clones(self) -> bool:
        """Whether any of them can speak with other people's voices."""
        return any(engine.clones for engine in self.engines)

    def of(self, language: str, *, cloned: bool = False) -> Synthesizer:
        """Who speaks a language: the first engine that has a voice for it; the preferred one where none has.

        Args:
            language: BCP-47.
            cloned: Voices are to be cloned, so an engine that can is preferred.
        """
        able = [engine for engine in self.engines if engine.voices(language)]
        cloning = [engine for engine in able if engine.clones] if cloned else []
        return (cloning or able or self.engines)[0]

    def speak(self, language: str) -> bool:
        """Whether any of them has a voice for a language."""
        return bool(self.of(language).voices(language))
