"""What can compute a sweep. The command line names them in its help: nothing heavy is imported."""

from enum import StrEnum


class Backend(StrEnum):
    """What starts the processes that compute a sweep's stages."""

    RAY = "ray"
    """Ray, here or on a cluster."""
    PROCESS = "process"
    """The driver itself, on this machine."""
