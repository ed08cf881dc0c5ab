"""The function that computes each kind of stage.

Each one reads the rows of the stage before it, calls one function of `fairdarts`, and writes its
own rows.
"""

from collections.abc import Callable

from orchestrate.stages.derive import run_derive
from orchestrate.stages.given import run_given
from orchestrate.stages.retrain import run_retrain
from orchestrate.stages.sample import run_sample
from orchestrate.stages.search import run_search
from orchestrate.stages.stage_run import StageResult, StageRun

STAGES: dict[str, Callable[[StageRun], StageResult]] = {
    "search": run_search,
    "derive": run_derive,
    "sample": run_sample,
    "given": run_given,
    "retrain": run_retrain,
}
