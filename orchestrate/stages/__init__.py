"""What a stage computes and records, who may compute it, and how it resumes. No Ray."""
