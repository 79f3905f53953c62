"""The tables, as SQLAlchemy sees them; `migrations/` creates the same, and a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _job_reference(*, primary_key: bool = True) -> "Column[str]":
    return Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=primary_key)


def _failure() -> "tuple[Column[str], Column[str], Column[str]]":
    return Column("failure_code", String(32)), Column("failure_message", Text), Column("failure_stage", String(32))


tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("turn", BigInteger, nullable=False, index=True, comment="rises with each claim; lowest is served next"),
    Column("source_prefixes", Text, comment="JSON list of s3:// prefixes that it may read"),
    Column("limits", Text, comment="JSON object: limits other than those of the settings"),
    Column("webhook_secret", Text, comment="signs what is sent to it; a space divides the newest from the one before"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("identity", String(32), nullable=False, unique=True, comment="digest of what the request asks for"),
    Column("tenant", Text, ForeignKey("tenants.id"), nullable=False),
    Column("batch", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False, comment="rises with each claim and cancel, for ever"),
    Column("progress", Double, nullable=False),
    Column("dead_letter", Boolean, nullable=False, comment="failed because its attempts ran out"),
    Column("source_uri", Text, nullable=False),
    Column("source_version", Text, nullable=False),
    Column("source_language", Text),
    Column("target_languages", Text, nullable=False, comment="JSON list"),
    Column("destination", Text, nullable=False),
    Column("stem", Text, nullable=False),
    Column("options", Text, nullable=False, comment="JSON object"),
    Column("warnings", Text, nullable=False, comment="JSON list of code and message"),
    *_failure(),
    Column("seq", BigInteger, nullable=False, comment="of the latest event"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("not_before", Double, nullable=False, comment="earliest claim, after a failure that may pass"),
    Column("worked_at", Double, nullable=False, comment="last write of the lease's owner"),
    Column("name", Text, comment="of the source, to show to people"),
    Column("user_id", Text, comment="whom of the tenant's people it is for"),
    Column("webhook_url", Text, comment="who is told of the job's end"),
    Column("review", String(16), comment="wanted: pause before speech; given: go on"),
    Column("media_seconds", Double, comment="decoded length of the source"),
    Column("key_id", String(32), comment="API key that asked for it"),
    Column("consent", Integer, comment="wording under which cloning was consented to"),
    sqlite_autoincrement=True,
)

# A literal, not a parameter: planners only use a partial index where the statement's text implies its condition.
waiting = jobs.c.status == literal_column("'uploaded'")

Index(
    "ix_jobs_queue",
    jobs.c.priority,
    jobs.c.tenant,
    jobs.c.queued_at,
    jobs.c.number,
    sqlite_where=waiting,
    postgresql_where=waiting,
)
Index(
    "ix_jobs_batch_queue",
    jobs.c.batch,
    jobs.c.priority,
    jobs.c.tenant,
    jobs.c.queued_at,
    jobs.c.number,
    sqlite_where=waiting,
    postgresql_where=waiting,
)
Index("ix_jobs_tenant_number", jobs.c.tenant, jobs.c.number)
Index("ix_jobs_tenant_status_number", jobs.c.tenant, jobs.c.status, jobs.c.number)
Index("ix_jobs_batch_status", jobs.c.batch, jobs.c.status)

leases = Table(
    "leases",
    metadata,
    _job_reference(),
    Column("owner", Text, nullable=False, index=True),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    sqlite_with_rowid=False,
)

flows = Table(
    "flows",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("cell", Text, index=True, comment="of a service's flow"),
    Column("configuration", String(32), comment="digest of what it was started with"),
    Column("started_at", Double),
    Column("beat_at", Double, comment="when its executor last turned"),
    Column("grown_bytes", BigInteger, comment="memory that its process has gained since it started"),
    Column("drained_at", Double, comment="since when its flow begins nothing new"),
)

duties = Table(
    "duties",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="the one process that does it"),
    Column("expires_at", Double, nullable=False),
)

processing_stages = Table(
    "processing_stages",
    metadata,
    _job_reference(),
    Column("stage", String(32), primary_key=True),
    Column("language", Text, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("expected", Integer),
    Column("planned_fence", BigInteger, nullable=False, comment="of the lease that recorded what is expected"),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("closer", Integer, comment="index of the part that closed the set"),
    Column("started_at", Double),
    Column("finished_at", Double),
    sqlite_with_rowid=False,
)

parts = Table(
    "parts",
    metadata,
    _job_reference(),
    Column("stage", String(32), primary_key=True),
    Column("language", Text, primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("unanswered", Integer, nullable=False, comment="times begun since its last outcome"),
    Column("seconds", Double, nullable=False),
    Column("fence", BigInteger, nullable=False, comment="of the lease that last wrote it"),
    *_failure(),
    Column("started_at", Double, comment="when it was last begun"),
    sqlite_with_rowid=False,
)

outputs = Table(
    "outputs",
    metadata,
    _job_reference(),
    Column("language", Text, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("fence", BigInteger, nullable=False, comment="of the lease that ended it"),
    Column("files", Text, nullable=False, comment="JSON object"),
    Column("report", Text, nullable=False, comment="JSON object"),
    *_failure(),
    Column("revision", Integer, comment="of the script's edits that it was made with"),
    Column("script", Text, comment="key of the script as a document: the draft under review, then the published one"),
)

events = Table(
    "events",
    metadata,
    _job_reference(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False, comment="JSON object"),
    sqlite_with_rowid=False,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True, comment="the part of the key that is no secret"),
    Column("tenant", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False, comment="SHA-256, hex"),
    Column("scopes", Text, nullable=False, comment="JSON list"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
)

supported_languages = Table(
    "supported_languages",
    metadata,
    Column("code", Text, primary_key=True, comment="BCP-47"),
    Column("name", Text, nullable=False, comment="in English"),
    Column("native_name", Text, nullable=False),
    Column("source", Boolean, nullable=False),
    Column("target", Boolean, nullable=False),
    Column("voice_cloning", Boolean, nullable=False),
)

edits = Table(
    "edits",
    metadata,
    _job_reference(),
    Column("language", Text, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False, comment="of the script, that brought this text"),
    Column("utterance", String(32), primary_key=True),
    Column("text", Text, comment="empty: the original sound; none: what the machine said"),
    Column("at", Double, nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("name", Text, nullable=False, comment="of the file, to show to people"),
    Column("size", BigInteger, nullable=False, comment="announced bytes"),
    Column("received", BigInteger, nullable=False, comment="bytes that are safe"),
    Column("status", String(16), nullable=False, comment="open, complete"),
    Column("key", Text, nullable=False, comment="of the blob"),
    Column("multipart", Text, comment="id of the object store's own upload"),
    Column("uri", Text, comment="of the blob, once it is complete"),
    Column("version", Text, comment="of the blob, once it is complete"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

chunks = Table(
    "chunks",
    metadata,
    Column("upload_id", String(32), ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("key", Text, nullable=False, comment="of the blob that holds it"),
    sqlite_with_rowid=False,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", String(64), nullable=False, comment="of method, path and body; empty before all is read"),
    Column("owner", String(32), nullable=False, comment="the request that answers; empty where the next may"),
    Column("seed", String(32), nullable=False, comment="names what the request makes, whoever answers it"),
    Column("status", Integer, comment="HTTP status of the answer; empty while it is made"),
    Column("headers", Text, comment="JSON object"),
    Column("body", Text),
    Column("at", Double, nullable=False, index=True),
)

tickets = Table(
    "tickets",
    metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256, hex"),
    Column("key_id", String(32), nullable=False),
    Column("job_id", String(32), nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256, hex"),
    Column("key_id", String(32), nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

rates = Table(
    "rates",
    metadata,
    Column("name", Text, primary_key=True, comment="who, and what is limited"),
    Column("full_at", Double, nullable=False, comment="when the bucket is full again"),
)

usage = Table(
    "usage",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("day", String(10), primary_key=True, comment="UTC, ISO 8601"),
    Column("media_seconds", Double, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("tenant", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("body", Text, nullable=False, comment="JSON, as it is signed"),
    Column("status", String(16), nullable=False, comment="waiting, delivered, given_up"),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Double, nullable=False, comment="of the next attempt; while one is made, of the one after it"),
    Column("answer", Text, comment="how the last attempt ended"),
    Column("created_at", Double, nullable=False),
)

undelivered = deliveries.c.status == literal_column("'waiting'")
"""A literal for the same reason as in `waiting`."""

Index("ix_deliveries_next_at", deliveries.c.next_at, sqlite_where=undelivered, postgresql_where=undelivered)

removals = Table(
    "removals",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("source_uri", Text, nullable=False),
    Column("source_version", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("done_at", Double, comment="when all its files had been removed once"),
    Column("created_at", Double, nullable=False, index=True),
)

series = Table(
    "series",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("last_number", Integer, nullable=False, comment="of its voices; none is given twice"),
)

Index("ix_series_tenant_name", series.c.tenant, series.c.name, unique=True)

voices = Table(
    "voices",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("tenant", Text, nullable=False),
    Column("series_id", String(32), ForeignKey("series.id"), nullable=False, index=True),
    Column("label", String(16), nullable=False, comment="within the series: V1, V2, ..."),
    Column("engine", Text, nullable=False, comment="identity of the diarizer whose voiceprint it is"),
    Column("voiceprint", Text, nullable=False, comment="JSON list"),
    Column("seconds", Double, nullable=False, comment="of speech behind the voiceprint, up to its cap"),
    Column("traits", Text, nullable=False, comment="JSON object: how it sounds, over the whole series"),
    Column("name", Text, comment="given by a person"),
    Column("gender", String(16), comment="given by a person"),
    Column("reference", String(64), comment="names the sound that it is cloned from"),
    Column("created_at", Double, nullable=False),
    Column("met_at", Double, nullable=False, comment="when a source last had it"),
    Column("forgotten_at", Double, comment="since when it is gone for everybody"),
    Column("cleared_at", Double, comment="when its files had been removed once"),
    sqlite_autoincrement=True,
)

Index("ix_voices_tenant_number", voices.c.tenant, voices.c.number)


def _voice_reference() -> "Column[str]":
    return Column("voice_id", String(32), ForeignKey("voices.id", ondelete="CASCADE"), primary_key=True)


voice_castings = Table(
    "voice_castings",
    metadata,
    _voice_reference(),
    Column("language", Text, primary_key=True),
    Column("engine", Text, primary_key=True, comment="whose voice it is; empty where a person chose it"),
    Column("voice", Text, nullable=False),
)

voice_consents = Table(
    "voice_consents",
    metadata,
    _voice_reference(),
    Column("job_id", String(32), primary_key=True, comment="for which it was stated; it may be gone"),
    Column("tenant", Text, nullable=False),
    Column("key_id", String(32), comment="API key of who stated it"),
    Column("wording", Integer, nullable=False, comment="version of the words that were agreed to"),
    Column("stated_at", Double, nullable=False),
)

appearances = Table(
    "appearances",
    metadata,
    _job_reference(),
    Column("speaker", String(32), primary_key=True, comment="of the script"),
    Column("script", Text, nullable=False, comment="its key"),
    Column("voice_id", String(32), nullable=False, index=True, comment="empty: nobody of the series; may be gone"),
    sqlite_with_rowid=False,
)
