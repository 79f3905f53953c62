"""Create the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WAITING = sa.text("status = 'uploaded'")


def upgrade() -> None:
    """Create all tables."""
    _create_queue()
    _create_work()
    _create_results()
    _create_service()


def downgrade() -> None:
    """Remove all tables."""
    for table in (
        "supported_languages",
        "api_keys",
        "events",
        "outputs",
        "parts",
        "processing_stages",
        "flows",
        "leases",
        "jobs",
        "tenants",
    ):
        op.drop_table(table)


def _create_queue() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False, comment="rises with each claim; lowest is served next"),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
    )
    op.create_index("ix_tenants_turn", "tenants", ["turn"])
    op.create_table(
        "jobs",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("identity", sa.String(32), nullable=False, comment="digest of what the request asks for"),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False, comment="rises with each claim and cancel, for ever"),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("dead_letter", sa.Boolean(), nullable=False, comment="failed because its attempts ran out"),
        sa.Column("source_uri", sa.Text(), nullable=False),
        sa.Column("source_version", sa.Text(), nullable=False),
        sa.Column("source_language", sa.Text()),
        sa.Column("target_languages", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("stem", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("warnings", sa.Text(), nullable=False, comment="JSON list of code and message"),
        *_failure(),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="of the latest event"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False, comment="earliest claim, after a failure that may pass"),
        sa.Column("worked_at", sa.Double(), nullable=False, comment="last write of the lease's owner"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_jobs_tenant"),
        sa.PrimaryKeyConstraint("number", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
        sa.UniqueConstraint("identity", name="uq_jobs_identity"),
        sqlite_autoincrement=True,
    )
    queue = ["priority", "tenant", "queued_at", "number"]
    op.create_index("ix_jobs_queue", "jobs", queue, sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("ix_jobs_batch_queue", "jobs", ["batch", *queue], sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("ix_jobs_tenant_number", "jobs", ["tenant", "number"])
    op.create_index("ix_jobs_tenant_status_number", "jobs", ["tenant", "status", "number"])
    op.create_index("ix_jobs_batch_status", "jobs", ["batch", "status"])


def _create_work() -> None:
    op.create_table(
        "leases",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        *_job_keys("leases"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_leases_expires_at", "leases", ["expires_at"])
    op.create_index("ix_leases_owner", "leases", ["owner"])
    op.create_table(
        "flows",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("drained_at", sa.Double(), nullable=False, comment="since when its flow begins nothing new"),
        sa.PrimaryKeyConstraint("owner", name="pk_flows"),
    )
    op.create_table(
        "processing_stages",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("expected", sa.Integer()),
        sa.Column(
            "planned_fence", sa.BigInteger(), nullable=False, comment="of the lease that recorded what is expected"
        ),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("closer", sa.Integer(), comment="index of the part that closed the set"),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        *_job_keys("processing_stages", "stage", "language"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parts",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unanswered", sa.Integer(), nullable=False, comment="times begun since its last outcome"),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False, comment="of the lease that last wrote it"),
        *_failure(),
        *_job_keys("parts", "stage", "language", "index"),
        sqlite_with_rowid=False,
    )


def _create_results() -> None:
    op.create_table(
        "outputs",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False, comment="of the lease that ended it"),
        sa.Column("files", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("report", sa.Text(), nullable=False, comment="JSON object"),
        *_failure(),
        *_job_keys("outputs", "language"),
    )
    op.create_table(
        "events",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", sa.Text(), nullable=False, comment="JSON object"),
        *_job_keys("events", "seq"),
        sqlite_with_rowid=False,
    )


def _create_service() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), nullable=False, comment="the part of the key that is no secret"),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False, comment="SHA-256, hex"),
        sa.Column("scopes", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("revoked_at", sa.Double()),
        sa.Column("last_used_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_tenant", "api_keys", ["tenant"])
    op.create_table(
        "supported_languages",
        sa.Column("code", sa.Text(), nullable=False, comment="BCP-47"),
        sa.Column("name", sa.Text(), nullable=False, comment="in English"),
        sa.Column("native_name", sa.Text(), nullable=False),
        sa.Column("source", sa.Boolean(), nullable=False),
        sa.Column("target", sa.Boolean(), nullable=False),
        sa.Column("voice_cloning", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_supported_languages"),
    )


def _failure() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("failure_code", sa.String(32)),
        sa.Column("failure_message", sa.Text()),
        sa.Column("failure_stage", sa.String(32)),
    )


def _job_keys(table: str, *more: str) -> tuple[sa.ForeignKeyConstraint, sa.PrimaryKeyConstraint]:
    return (
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=f"fk_{table}_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", *more, name=f"pk_{table}"),
    )
