"""The results store: where each file is, and how it is written whole and read."""
