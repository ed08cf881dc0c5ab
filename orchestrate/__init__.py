"""Which trials exist, where they run and how they resume. Only `runner` and `cluster` import Ray."""
