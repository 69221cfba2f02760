"""The catalog, in SQLite or PostgreSQL: models, references, profiles, results, alerts; all but events and labels."""
