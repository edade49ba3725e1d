"""Alembic's environment and versions; `receiver migrate` runs them."""
