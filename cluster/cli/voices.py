"""The people that series keep: listed, named, given voices, forgotten; in the database, or by asking a service."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Protocol

import typer

from cluster.blobs.contract import BlobStore
from cluster.blobs.store import open_blobs
from cluster.cli.console import out, print_json, print_table
from cluster.cli.desks import service_or_ledger
from cluster.cli.jobs import Json, Server
from cluster.cli.service_client import ServiceClient
from cluster.errors import DubflowError, ErrorCode
from cluster.languages import parse_language
from cluster.ledger.ledger import Ledger
from cluster.series import parse_series
from cluster.settings import Settings
from cluster.voices import describe, forget_voice

PAGE = 100
GENDERS = ("female", "male", "unknown")

VoiceId = Annotated[str, typer.Argument(metavar="ID", help="Of a person, as `dubflow voices list` shows it.")]
OfSeries = Annotated[str | None, typer.Option("--series", help="Only people of this series.", metavar="NAME")]
OfTenant = Annotated[
    str | None, typer.Option("--tenant", help="Only people of this tenant; a service knows its key's.", metavar="NAME")
]


class VoiceDesk(Protocol):
    """Where people of series are asked about; all of it raises DubflowError."""

    def list(self, series: str | None, tenant: str | None) -> Iterator[dict[str, Any]]:
        """People, the newest first."""
        ...

    def change(self, voice_id: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """Say who a person is: `name`, `gender`, `voices` by language; None takes something back."""
        ...

    def forget(self, voice_id: str) -> None:
        """Remove all that is known of a person."""
        ...


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="People that series keep.", no_args_is_help=True)
    group.command("list")(list_voices)
    group.command("set")(set_voice)
    group.command("forget")(forget_voices)
    app.add_typer(group, name="voices")


def list_voices(
    *, series: OfSeries = None, tenant: OfTenant = None, as_json: Json = False, server: Server = None
) -> None:
    """List the people of series, the newest first."""
    with open_voice_desk(server) as desk:
        found = list(desk.list(parse_series(series) if series else None, tenant))
    if as_json:
        for person in found:
            print_json(person)
        return
    columns = ["person", "series", "label", "name", "gender", "heard", "cloned", "voices"]
    print_table(columns, [_row(person) for person in found])


def set_voice(
    voice_id: VoiceId,
    *,
    name: Annotated[str | None, typer.Option(help="To show to people; empty for none.")] = None,
    gender: Annotated[
        str | None, typer.Option(help=f"{', '.join(GENDERS)}; empty for what it sounds like.", metavar="GENDER")
    ] = None,
    voice: Annotated[
        list[str] | None,
        typer.Option(metavar="LANG=VOICE", help="A voice of the speech engine; nothing behind the = takes it back."),
    ] = None,
    as_json: Json = False,
    server: Server = None,
) -> None:
    """Say who a person is and which voices they get; jobs follow that are dubbed from now on."""
    if gender and gender not in GENDERS:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{gender} is no gender of a voice; write {', '.join(GENDERS)}")
    texts = {column: text or None for column, text in (("name", name), ("gender", gender)) if text is not None}
    with open_voice_desk(server) as desk:
        changed = desk.change(voice_id, {**texts, "voices": dict(map(_choice, voice or []))})
    print_json(changed) if as_json else out.print("  ".join(_row(changed)))


def forget_voices(
    voice_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="People to forget.")] = None,
    *,
    series: OfSeries = None,
    tenant: OfTenant = None,
    server: Server = None,
) -> None:
    """Remove voiceprints, sounds and consents; later jobs start anew with these people."""
    if bool(voice_ids) == bool(series or tenant):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "name either people, by their ids, or a --series or --tenant")
    with open_voice_desk(server) as desk:
        found = () if voice_ids else tuple(desk.list(parse_series(series) if series else None, tenant))
        for voice_id in voice_ids or [person["voice_id"] for person in found]:
            desk.forget(voice_id)
            out.print(f"{voice_id} forgotten")


@contextmanager
def open_voice_desk(server: str | None) -> Iterator[VoiceDesk]:
    """Where the commands ask about people: see `service_or_ledger`; beside the ledger lies the blob store."""
    settings = Settings()
    with service_or_ledger(server, settings) as where:
        if isinstance(where, ServiceClient):
            yield _ServiceDesk(where)
        else:
            yield _LedgerDesk(where, open_blobs(settings.blobs, settings.s3_endpoint_url))


class _LedgerDesk:
    """The database itself, with the people of all tenants."""

    def __init__(self, ledger: Ledger, blobs: BlobStore) -> None:
        self._ledger, self._blobs = ledger, blobs

    def list(self, series: str | None, tenant: str | None) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._ledger.voices(tenant=tenant, of_series=series, limit=PAGE, cursor=cursor)
            for voice in page.voices:
                yield {"tenant": voice.tenant, **describe(voice)}
            cursor = page.cursor
            if cursor is None:
                return

    def change(self, voice_id: str, said: Mapping[str, Any]) -> dict[str, Any]:
        texts = {name: said[name] or "" for name in ("name", "gender") if name in said}
        return describe(self._ledger.change_voice(voice_id, **texts, by_language=said["voices"]))

    def forget(self, voice_id: str) -> None:
        forget_voice(self._ledger, self._blobs, voice_id)


class _ServiceDesk:
    """A running service, with the people of the key's tenant."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def list(self, series: str | None, tenant: str | None) -> Iterator[dict[str, Any]]:
        if tenant is not None:
            message = "a service shows the people of its key's tenant; leave --tenant out"
            raise DubflowError(ErrorCode.INVALID_REQUEST, message)
        cursor: str | None = None
        while True:
            page = self._client.get("/voices", series=series, limit=PAGE, cursor=cursor)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def change(self, voice_id: str, said: Mapping[str, Any]) -> dict[str, Any]:
        return self._client.patch(f"/voices/{voice_id}", dict(said))

    def forget(self, voice_id: str) -> None:
        self._client.delete(f"/voices/{voice_id}")


def _choice(text: str) -> tuple[str, str | None]:
    language, equals, voice = text.partition("=")
    if not equals:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{text} chooses nothing; write LANG=VOICE")
    return parse_language(language), voice or None


def _row(person: Mapping[str, Any]) -> list[str]:
    by_language = {one["language"]: one["voice"] for one in sorted(person["voices"], key=lambda one: one["by_hand"])}
    return [
        person["voice_id"],
        person["series"],
        person["label"],
        person["name"] or "-",
        person["gender"],
        f"{person['seconds']:.0f} s",
        "yes" if person["cloned"] else "no",
        " ".join(f"{language}={voice}" for language, voice in sorted(by_language.items())) or "-",
    ]
