"""Voices that a series keeps, and who has stated that they may be cloned."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables."""
    op.add_column("jobs", sa.Column("key_id", sa.String(32), comment="API key that asked for it"))
    op.add_column("jobs", sa.Column("consent", sa.Integer(), comment="wording under which cloning was consented to"))
    # Whoever asked for cloned voices so far did so under the first wording; the ledger writes JSON like this.
    jobs = sa.table("jobs", sa.column("options", sa.Text()), sa.column("consent", sa.Integer()))
    op.execute(sa.update(jobs).where(jobs.c.options.contains('"clone_voices":true')).values(consent=1))
    op.create_table(
        "series",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False, comment="of its voices; none is given twice"),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
    )
    op.create_index("ix_series_tenant_name", "series", ["tenant", "name"], unique=True)
    _create_voices()
    _create_castings()
    _create_consents()
    _create_appearances()


def downgrade() -> None:
    """Remove them again."""
    for table in ("appearances", "voice_consents", "voice_castings", "voices", "series"):
        op.drop_table(table)
    for column in ("consent", "key_id"):
        op.drop_column("jobs", column)


def _create_voices() -> None:
    op.create_table(
        "voices",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("series_id", sa.String(32), nullable=False),
        sa.Column("label", sa.String(16), nullable=False, comment="within the series: V1, V2, ..."),
        sa.Column("engine", sa.Text(), nullable=False, comment="identity of the diarizer whose voiceprint it is"),
        sa.Column("voiceprint", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="of speech behind the voiceprint, up to its cap"),
        sa.Column("traits", sa.Text(), nullable=False, comment="JSON object: how it sounds, over the whole series"),
        sa.Column("name", sa.Text(), comment="given by a person"),
        sa.Column("gender", sa.String(16), comment="given by a person"),
        sa.Column("reference", sa.String(64), comment="names the sound that it is cloned from"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("met_at", sa.Double(), nullable=False, comment="when a source last had it"),
        sa.Column("forgotten_at", sa.Double(), comment="since when it is gone for everybody"),
        sa.Column("cleared_at", sa.Double(), comment="when its files had been removed once"),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_voices_series_id"),
        sa.PrimaryKeyConstraint("number", name="pk_voices"),
        sa.UniqueConstraint("id", name="uq_voices_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_voices_series_id", "voices", ["series_id"])
    op.create_index("ix_voices_tenant_number", "voices", ["tenant", "number"])


def _create_castings() -> None:
    op.create_table(
        "voice_castings",
        sa.Column("voice_id", sa.String(32), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False, comment="whose voice it is; empty where a person chose it"),
        sa.Column("voice", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["voice_id"], ["voices.id"], name="fk_voice_castings_voice_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("voice_id", "language", "engine", name="pk_voice_castings"),
    )


def _create_consents() -> None:
    op.create_table(
        "voice_consents",
        sa.Column("voice_id", sa.String(32), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False, comment="for which it was stated; it may be gone"),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(32), comment="API key of who stated it"),
        sa.Column("wording", sa.Integer(), nullable=False, comment="version of the words that were agreed to"),
        sa.Column("stated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["voice_id"], ["voices.id"], name="fk_voice_consents_voice_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("voice_id", "job_id", name="pk_voice_consents"),
    )


def _create_appearances() -> None:
    op.create_table(
        "appearances",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("speaker", sa.String(32), nullable=False, comment="of the script"),
        sa.Column("script", sa.Text(), nullable=False, comment="its key"),
        sa.Column("voice_id", sa.String(32), nullable=False, comment="empty: nobody of the series; may be gone"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_appearances_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "speaker", name="pk_appearances"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_appearances_voice_id", "appearances", ["voice_id"])
