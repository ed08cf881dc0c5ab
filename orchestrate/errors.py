"""The errors of this package. None of them means that the code is at fault."""


class OrchestrateError(Exception):
    """Base of the errors of this package; its text is meant to be printed as it is."""


class SweepError(OrchestrateError):
    """A sweep file, or an override of it, that cannot be used."""


class ClusterError(OrchestrateError):
    """Ray cannot be started or joined, or no machine has what a trial asks for."""


class MirrorError(OrchestrateError):
    """A sweep cannot be shown in TensorBoard, W&B or MLflow as asked."""


class RayFailed(ClusterError):
    """Ray itself failed; what it logged may tell why."""


class Held(OrchestrateError):
    """Another process computes the stage or has just finished it, so this one must not start."""


class Superseded(OrchestrateError):
    """A newer attempt has taken the stage over; this one must stop and write nothing more."""


class Stopped(OrchestrateError):
    """Someone asked this stage, or its whole run, to stop."""


class ProcessDied(OrchestrateError):
    """A process that died again and again while it computed one stage."""


class Stalled(OrchestrateError):
    """A process that did not get on with its stage for too long."""


class TwinFailed(OrchestrateError):
    """The stage whose rows this stage would copy has failed."""


class NotTrained(OrchestrateError):
    """The trained network of a retraining is not there."""


class WrongImages(OrchestrateError):
    """Images are missing, or are not those that a stage was planned with."""


class Diverged(OrchestrateError):
    """The training loss is infinite or NaN."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text, printable, at most 300 characters."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    return "".join(c if c.isprintable() else " " for c in text)[:300]
