"""Questions that people ask of the tables, with the SQL and the command that answer them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question, and how to ask it."""

    text: str
    sql: str
    """At most three lines."""
    command: str = ""
    """A command that answers it, too; empty: `fairdarts results sql` with the SQL on one line."""

    @property
    def line(self) -> str:
        """The command that answers it."""
        return self.command or f'fairdarts results sql "{" ".join(self.sql.split())}"'


QUESTIONS = (
    Question(
        "What are mean and sample standard deviation of top-1, by method?",
        "SELECT sweep, group_label, count(*) AS n, avg(top1) AS mean, stddev_samp(top1) AS std\n"
        "FROM (SELECT sweep, group_id, group_label, coalesce(search_key, sample_key), "
        "avg(test_top1_pct)\nAS top1 FROM outcomes WHERE outcome = 'ok' GROUP BY ALL) "
        "GROUP BY sweep, group_id, group_label",
        "fairdarts results table",
    ),
    Question(
        "How do the gates of one edge develop during a trial's search?",
        "SELECT epoch, operation, gate FROM alphas SEMI JOIN trials ON search_key = stage_key\n"
        "AND trial_id LIKE '2ab0%' WHERE cell = 'normal' AND source = 0 AND destination = 2\n"
        "ORDER BY epoch, position",
        # Which trials there are is asked before, so only the files of this one are opened.
        "fairdarts results sql --where \"trial_id LIKE '2ab0%'\" "
        '"SELECT epoch, operation, gate FROM alphas '
        "WHERE cell = 'normal' AND source = 0 AND destination = 2 ORDER BY epoch, position\"",
    ),
    Question(
        "How many skip connections dominate, by epoch and method?",
        "SELECT method, epoch, avg(num_dominant_skip) AS skips FROM epochs\n"
        "JOIN (SELECT DISTINCT method, search_key FROM trials) ON search_key = stage_key\n"
        "GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "Which genotype is the best by held-out training images?",
        "SELECT trial_id, label, val_top1_pct, genotype_json FROM outcomes\n"
        "JOIN epochs ON stage_key = retrain_key AND epoch = val_epoch\n"
        "ORDER BY val_top1_pct DESC LIMIT 1",
    ),
    Question(
        "Which trials failed, and why?",
        "SELECT sweep, trial_id, label, failure_kind, reason FROM outcomes\n"
        "WHERE outcome = 'failed'",
    ),
    Question(
        "How many hours, GPU hours and kWh did each method take, with failed and lost attempts?",
        "SELECT method, device, sum(wall_s) / 3600 AS hours, sum(wall_s * num_gpus) / 3600 AS "
        "gpu_hours,\nsum(energy_j) / 3.6e6 AS kwh FROM attempts JOIN (SELECT DISTINCT method, "
        "unnest([search_key,\nsample_key, derive_key, retrain_key]) AS stage_key FROM trials) "
        "USING (stage_key) GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "How does accuracy depend on MultAdds?",
        "SELECT DISTINCT ON (trial_id) label, multadds / 1e6 AS multadds_m, test_top1_pct\n"
        "FROM outcomes WHERE outcome = 'ok' ORDER BY multadds",
    ),
    Question(
        "Which planned trials are missing?",
        "SELECT sweep, trial_id, label, outcome, reason FROM outcomes\nWHERE outcome <> 'ok'",
    ),
)
