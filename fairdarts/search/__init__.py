"""The search: its step, its losses, its state, its loop."""
