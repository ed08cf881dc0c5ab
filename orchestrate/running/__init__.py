"""Runs trials on this machine or on a cluster, and says how far they are."""
