"""Which trials exist, where they run and how they resume; `runner` and `cluster` import Ray."""
