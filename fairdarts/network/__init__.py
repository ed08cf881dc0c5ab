"""Derived networks: how they are built, what they cost, how they are trained from scratch."""
