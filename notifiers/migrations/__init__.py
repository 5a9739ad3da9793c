"""Schema migrations, found by alembic as ``notifiers:migrations``; they travel with the package."""
