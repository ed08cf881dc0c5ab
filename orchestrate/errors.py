"""What orchestration raises when its input or surroundings are at fault."""


class OrchestrateError(Exception):
    """Base of the errors of this package; its text is meant to be printed as it is."""


class SweepError(OrchestrateError):
    """A sweep file, or an override of it, that cannot be used."""


class ClusterError(OrchestrateError):
    """Ray cannot be started or joined, or has not what a trial asks for."""


class Held(OrchestrateError):
    """A stage that another live process is computing."""


class Superseded(OrchestrateError):
    """This attempt's lease was taken over; what it computes is no longer wanted."""


class TwinFailed(OrchestrateError):
    """The stage whose rows another one would repeat has failed."""


class NotTrained(OrchestrateError):
    """A retraining whose network is asked for and not there."""


class WrongImages(OrchestrateError):
    """Images that are not there, or not those that a stage was planned with."""


class Diverged(OrchestrateError):
    """A loss that is no longer finite."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text, printable, at most 300 characters."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    return "".join(c if c.isprintable() else " " for c in text)[:300]
