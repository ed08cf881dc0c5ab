"""Results as Parquet tables: written whole by many, read by pandas, DuckDB or pyarrow."""
