"""The networks that hold every candidate, and what disturbs them."""
