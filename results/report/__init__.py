"""The aggregated table as text, in several formats."""
