"""From rows to answers: outcomes of trials, aggregates, statistics."""
