"""The languages that the service offers."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from cluster.ledger.base import LedgerBase
from cluster.ledger.records import SupportedLanguage
from cluster.ledger.tables import supported_languages


class Languages(LedgerBase):
    """The list that `GET /languages` answers with."""

    def languages(self) -> tuple[SupportedLanguage, ...]:
        """All supported languages, by code."""
        ordered = select(supported_languages).order_by(supported_languages.c.code)
        return self._database.read(
            lambda connection: tuple(SupportedLanguage(**row) for row in connection.execute(ordered).mappings())
        )

    def replace_languages(self, languages: Iterable[SupportedLanguage]) -> None:
        """Support exactly these."""
        rows = [asdict(language) for language in languages]

        def replace(connection: Connection) -> None:
            connection.execute(delete(supported_languages))
            if rows:
                connection.execute(insert(supported_languages), rows)

        self._database.write(replace)
