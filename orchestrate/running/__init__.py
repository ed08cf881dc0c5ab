"""Trials on this machine or on a cluster, and how far they are."""
