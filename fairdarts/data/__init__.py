"""Images as uint8 tensors in memory, decoded once a process and augmented in batches."""
