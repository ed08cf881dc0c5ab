"""Results as Parquet tables: many processes write whole files; pandas or DuckDB can read them."""
