"""`fairdarts results compact`: many small files of finished trials become a few large ones."""

from contextlib import suppress

from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from cli.progress import working
from results.text import counted


def compact(format_: FormatOption = Format.TEXT, store: StoreOption = DEFAULT_STORE) -> None:
    """Move the rows of finished stages to a few large files.

    With thousands of trials every command is faster after that; no answer changes. A running sweep
    does the same by itself when it has some hundred finished stages. It can be interrupted at any
    time. As JSON: num_sealed (stages) and num_live (others, not finished or damaged).

    Example:

    \b
        fairdarts results compact
    """
    from orchestrate.errors import SweepError
    from orchestrate.running.deletion import remove_deleted
    from orchestrate.running.drivers import changing, live_drivers
    from orchestrate.running.sealing import seal_finished
    from results.store.store import Store

    opened = Store.open(store)
    with working("sealing finished results"):
        num_sealed = seal_finished(opened)
        # What a crash has left of deleted sweeps; while something is at work, it can wait.
        with suppress(SweepError), changing(opened, "results compact"):
            if not live_drivers(opened):
                remove_deleted(opened)
    num_live = len(opened.live_attempts())
    if format_ is Format.JSON:
        print_json({"num_sealed": num_sealed, "num_live": num_live})
        return
    print(f"Sealed {counted(num_sealed, 'stage')}; {counted(num_live, 'stage')} left.")
    if num_live:
        print("Those left are not finished, or damaged: `fairdarts store check` names damage.")
