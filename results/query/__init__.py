"""Questions to the tables: outcomes of trials, aggregates, statistics."""
