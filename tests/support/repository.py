"""Where the repository's own files are, for tests that read them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = Path(__file__).parent
SHARED = ROOT.parent / "shared"
"""Data sets too large for the repository; tests that use them are skipped without it."""
