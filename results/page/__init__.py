"""The report: one HTML page that shows what was asked, what came out, and what is missing."""
