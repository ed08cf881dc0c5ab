"""Genotypes of every space: derived from gates, sampled, published, read and written. No torch."""
