"""Figures drawn from the tables: of each the rows behind it, and a picture of these rows."""
