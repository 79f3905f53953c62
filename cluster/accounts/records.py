"""What accounts are made of."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from cluster.errors import DubflowError, ErrorCode
from cluster.settings import Settings


class Scope(StrEnum):
    """What a key may do."""

    READ = "jobs:read"
    WRITE = "jobs:write"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a tenant may use; 0 is no limit.

    Attributes:
        requests_per_minute: Of each of its keys.
        concurrent_jobs: That wait or run.
        media_minutes_per_day: Of decoded sources; days are UTC.
    """

    requests_per_minute: int = 0
    concurrent_jobs: int = 0
    media_minutes_per_day: float = 0.0

    def with_overrides(self, overrides: dict[str, Any]) -> "Limits":
        """These limits, with those of a tenant instead where it has its own; names of newer versions are left out."""
        return Limits(**{field.name: overrides.get(field.name, getattr(self, field.name)) for field in fields(self)})

    @staticmethod
    def of(settings: Settings) -> "Limits":
        """What holds for tenants without limits of their own."""
        return Limits(settings.requests_per_minute, settings.concurrent_jobs, settings.media_minutes_per_day)


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who owns jobs.

    Attributes:
        source_prefixes: Folders of buckets that it may name as sources: `s3://bucket/folder`.
        limits: Names of `Limits`, where it has others than the settings'.
    """

    id: str
    source_prefixes: tuple[str, ...] = ()
    limits: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. Times are UTC seconds since the epoch on the database's clock."""

    id: str
    tenant: str
    name: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a good key, as requests need to know them.

    Attributes:
        key: The key that they showed, or logged in with.
        limits: Those of their tenant.
    """

    key: ApiKey
    limits: Limits


def unknown_key(key_id: str) -> DubflowError:
    """The one answer for ids of keys that do not exist."""
    return DubflowError(ErrorCode.NOT_FOUND, f"there is no key {key_id}; `dubflow keys list` shows all")
