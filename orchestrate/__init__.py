"""Which trials exist, where they run and how they resume; only `running` imports Ray."""
