"""What the chosen engines can do with languages."""

from collections.abc import Sequence
from dataclasses import dataclass

import langcodes

from actors.languages import lookup
from cluster.errors import DubflowError, ErrorCode
from cluster.placement import Plan
from dataflow import engines


@dataclass(frozen=True, slots=True)
class Offer:
    """A target language that the engines of a plan can dub into.

    Attributes:
        code: BCP-47.
        name: In English.
        native_name: As its speakers write it.
        sources: Languages that it can be dubbed from.
        voices: How many different voices speak it.
        voice_cloning: The speakers' own voices can be kept.
        speech: The engine that speaks it.
    """

    code: str
    name: str
    native_name: str
    sources: tuple[str, ...]
    voices: int
    voice_cloning: bool
    speech: str


def offers(plan: Plan) -> tuple[Offer, ...]:
    """All target languages that a plan's engines can reach from a language that they understand."""
    understood = engines.transcriber(plan).languages()
    speakers = engines.speakers(plan)
    reachable: dict[str, set[str]] = {}
    for source, target in engines.translator(plan).pairs():
        if lookup(source, understood):
            reachable.setdefault(target, set()).add(source)
    return tuple(
        Offer(
            code,
            *describe(code),
            tuple(sorted(sources)),
            len(speakers.of(code).voices(code)),
            speakers.of(code, cloned=True).clones,
            speakers.of(code).info.name,
        )
        for code, sources in sorted(reachable.items())
        if speakers.speak(code)
    )


def require(plan: Plan, source: str | None, targets: Sequence[str]) -> None:
    """Check that a plan's engines can dub into all targets.

    Args:
        plan: Whose engines are asked.
        source: BCP-47, or None where it is still to be detected.
        targets: BCP-47.

    Raises:
        DubflowError: `unsupported_language`, with what there is instead.
    """
    available = offers(plan)
    for target in targets:
        found = lookup(target, [offer.code for offer in available])
        offer = next((offer for offer in available if offer.code == found), None)
        if offer is None or (source is not None and lookup(source, offer.sources) is None):
            known = ", ".join(offer.code for offer in available) or "none"
            via = "" if source is None else f" from {describe(source)[0]}"
            name, _ = describe(target)
            raise DubflowError(
                ErrorCode.UNSUPPORTED_LANGUAGE,
                f"the {plan.profile} engines cannot dub{via} into {name} ({target}); they offer: {known}."
                f" {engines.translator(plan).info.name} takes further pairs where they are installed",
            )


def require_cloning(plan: Plan) -> None:
    """Check that a speech engine of a plan speaks with other people's voices.

    Raises:
        DubflowError: `invalid_request`.
    """
    speakers = engines.speakers(plan)
    if not speakers.clones:
        raise DubflowError(
            ErrorCode.INVALID_REQUEST,
            f"{speakers.names} cannot clone voices; name an engine that can (DUBFLOW_ENGINES, docs/models.md) or leave "
            "--clone-voices out",
        )


def describe(code: str) -> tuple[str, str]:
    """The name of a language in English, and as its speakers write it."""
    language = langcodes.Language.get(code)
    return str(language.display_name()), str(language.autonym())
