"""What the service needs: uploads, accounts, edits, webhooks."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ADDED: tuple[tuple[str, str, sa.types.TypeEngine[Any], str], ...] = (
    ("tenants", "source_prefixes", sa.Text(), "JSON list of s3:// prefixes that it may read"),
    ("tenants", "limits", sa.Text(), "JSON object: limits other than those of the settings"),
    (
        "tenants",
        "webhook_secret",
        sa.Text(),
        "signs what is sent to it; a space divides the newest from the one before",
    ),
    ("jobs", "name", sa.Text(), "of the source, to show to people"),
    ("jobs", "user_id", sa.Text(), "whom of the tenant's people it is for"),
    ("jobs", "webhook_url", sa.Text(), "who is told of the job's end"),
    ("jobs", "review", sa.String(16), "wanted: pause before speech; given: go on"),
    ("jobs", "media_seconds", sa.Double(), "decoded length of the source"),
    ("parts", "started_at", sa.Double(), "when it was last begun"),
    ("outputs", "revision", sa.Integer(), "of the script's edits that it was made with"),
    ("outputs", "script", sa.Text(), "key of the script as a document: the draft under review, then the published one"),
)


def upgrade() -> None:
    """Add columns and tables."""
    for table, name, kind, comment in ADDED:
        op.add_column(table, sa.Column(name, kind, comment=comment))
    _create_supervision()
    _create_edits()
    _create_uploads()
    _create_accounts()
    _create_deliveries()
    _create_removals()


def downgrade() -> None:
    """Remove them again."""
    op.drop_table("flows")
    _create_flows(
        sa.Column("drained_at", sa.Double(), nullable=False, comment="since when its flow begins nothing new"),
    )
    for table in (
        "duties",
        "removals",
        "deliveries",
        "usage",
        "rates",
        "sessions",
        "tickets",
        "idempotency_keys",
        "chunks",
        "uploads",
        "edits",
    ):
        op.drop_table(table)
    for table, name, _, _ in ADDED:
        op.drop_column(table, name)


def _create_supervision() -> None:
    # A row of flows only matters while its process runs, which no process does during a migration.
    op.drop_table("flows")
    _create_flows(
        sa.Column("cell", sa.Text(), comment="of a service's flow"),
        sa.Column("configuration", sa.String(32), comment="digest of what it was started with"),
        sa.Column("started_at", sa.Double()),
        sa.Column("beat_at", sa.Double(), comment="when its executor last turned"),
        sa.Column("grown_bytes", sa.BigInteger(), comment="memory that its process has gained since it started"),
        sa.Column("drained_at", sa.Double(), comment="since when its flow begins nothing new"),
    )
    op.create_index("ix_flows_cell", "flows", ["cell"])
    op.create_table(
        "duties",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="the one process that does it"),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_duties"),
    )


def _create_flows(*columns: "sa.Column[Any]") -> None:
    op.create_table(
        "flows",
        sa.Column("owner", sa.Text(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("owner", name="pk_flows"),
    )


def _create_edits() -> None:
    op.create_table(
        "edits",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, comment="of the script, that brought this text"),
        sa.Column("utterance", sa.String(32), nullable=False),
        sa.Column("text", sa.Text(), comment="empty: the original sound; none: what the machine said"),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_edits_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "language", "revision", "utterance", name="pk_edits"),
    )


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the file, to show to people"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="announced bytes"),
        sa.Column("received", sa.BigInteger(), nullable=False, comment="bytes that are safe"),
        sa.Column("status", sa.String(16), nullable=False, comment="open, complete"),
        sa.Column("key", sa.Text(), nullable=False, comment="of the blob"),
        sa.Column("multipart", sa.Text(), comment="id of the object store's own upload"),
        sa.Column("uri", sa.Text(), comment="of the blob, once it is complete"),
        sa.Column("version", sa.Text(), comment="of the blob, once it is complete"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_tenant", "uploads", ["tenant"])
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    op.create_table(
        "chunks",
        sa.Column("upload_id", sa.String(32), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="of the blob that holds it"),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name="fk_chunks_upload_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("upload_id", "offset", name="pk_chunks"),
        sqlite_with_rowid=False,
    )


def _create_accounts() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "fingerprint", sa.String(64), nullable=False, comment="of method, path and body; empty before all is read"
        ),
        sa.Column("owner", sa.String(32), nullable=False, comment="the request that answers; empty where the next may"),
        sa.Column("seed", sa.String(32), nullable=False, comment="names what the request makes, whoever answers it"),
        sa.Column("status", sa.Integer(), comment="HTTP status of the answer; empty while it is made"),
        sa.Column("headers", sa.Text(), comment="JSON object"),
        sa.Column("body", sa.Text()),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_at", "idempotency_keys", ["at"])
    op.create_table(
        "tickets",
        sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256, hex"),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_tickets"),
    )
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"])
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256, hex"),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "rates",
        sa.Column("name", sa.Text(), nullable=False, comment="who, and what is limited"),
        sa.Column("full_at", sa.Double(), nullable=False, comment="when the bucket is full again"),
        sa.PrimaryKeyConstraint("name", name="pk_rates"),
    )
    op.create_table(
        "usage",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False, comment="UTC, ISO 8601"),
        sa.Column("media_seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", name="pk_usage"),
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON, as it is signed"),
        sa.Column("status", sa.String(16), nullable=False, comment="waiting, delivered, given_up"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column(
            "next_at",
            sa.Double(),
            nullable=False,
            comment="of the next attempt; while one is made, of the one after it",
        ),
        sa.Column("answer", sa.Text(), comment="how the last attempt ended"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_deliveries_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_job_id", "deliveries", ["job_id"])
    undelivered = sa.text("status = 'waiting'")
    op.create_index(
        "ix_deliveries_next_at", "deliveries", ["next_at"], sqlite_where=undelivered, postgresql_where=undelivered
    )


def _create_removals() -> None:
    op.create_table(
        "removals",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source_uri", sa.Text(), nullable=False),
        sa.Column("source_version", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("done_at", sa.Double(), comment="when all its files had been removed once"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_removals"),
    )
    op.create_index("ix_removals_created_at", "removals", ["created_at"])
