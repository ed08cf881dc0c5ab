"""What the search and the retraining share: checkpoints, precision, schedules, metrics."""
