"""Where matplotlib keeps its list of fonts."""

import os


def keep_list_of_fonts() -> None:
    """Let matplotlib keep its list, which takes long to make, in this user's cache of fairdarts.

    To be called before matplotlib is imported. In matplotlib's own folder there may be settings of
    the user, which would change pictures.
    """
    from fairdarts.user_cache import user_cache

    if (cache := user_cache()) is not None:
        os.environ.setdefault("MPLCONFIGDIR", str(cache / "matplotlib"))
