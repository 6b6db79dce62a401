"""Run by Alembic: migrates over the connection, and in the transaction, that ``Store.migrate`` opened."""

from alembic import context

from vclab.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
)
context.run_migrations()
