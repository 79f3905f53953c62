"""Run by Alembic: migrate over the connection, and in the transaction, that `cluster.ledger.schema` has opened."""

from alembic import context

from cluster.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table; Alembic copies it instead
)
context.run_migrations()
