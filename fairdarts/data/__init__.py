"""Images: where they lie, which ones a run uses, and how they become augmented batches."""
