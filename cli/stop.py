"""`fairdarts sweep stop`: end the runs of a sweep, or one trial of them, from any machine."""

import shlex
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_STORE, StoreOption
from results.text import counted

if TYPE_CHECKING:
    from orchestrate.running.drivers import Driver
    from results.store.store import Store


def stop(
    sweep: Annotated[
        str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store, or its TOML file.")
    ],
    trial: Annotated[
        str | None,
        typer.Argument(metavar="TRIAL", help="Id of the only trial to stop, or its first digits."),
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Give up the epochs that are being computed.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Stop the runs of a sweep, or one trial of them, so that they can be continued.

    Works from any machine that sees the store. It leaves a request there and does not wait: each
    stage ends after the epoch that it computes now, so no work is lost. An epoch may take long:
    with --now each stage ends within seconds, and its unfinished epoch is computed again later.
    Then `sweep run` or `sweep resume` ends with exit code 3. To continue, run it again. With TRIAL,
    the run goes on with the other trials; stages that another trial needs too, such as a shared
    search, go on.

    Examples:

    \b
        fairdarts sweep stop quickstart
        fairdarts sweep stop quickstart --now
        fairdarts sweep stop quickstart 2ab0
    """
    from cli.running import newest_submission
    from orchestrate.running.drivers import live_drivers
    from results.store.store import Store

    opened = Store.open(store)
    name = newest_submission(opened, sweep).sweep
    drivers = live_drivers(opened, name)
    if not drivers:
        print(f"{name}: nothing to stop, because no run of it is alive.")
        return
    if trial is None:
        _stop_runs(drivers, now)
    else:
        _stop_trial(opened, drivers, trial, now)
    where = shlex.join([name, "--store", str(opened.root)])
    print(f"To continue, now or later: `fairdarts sweep resume {where}`.")


def _stop_runs(drivers: "list[Driver]", now: bool) -> None:
    from orchestrate.running.drivers import StopRequest

    for driver in drivers:
        driver.ask_to_stop(StopRequest(_who(), now=now))
    whose = ", ".join(f"{driver.holder}, since {driver.since:%H:%M:%S} UTC" for driver in drivers)
    print(
        f"{drivers[0].sweep}: asked {counted(len(drivers), 'run')} to stop ({whose}). No new stage "
        f"starts; those that are being computed end {_when(now)}."
    )


def _stop_trial(store: "Store", drivers: "list[Driver]", text: str, now: bool) -> None:
    from orchestrate.errors import SweepError
    from orchestrate.running.drivers import StopRequest
    from orchestrate.running.status import trial_status
    from orchestrate.running.stopping import stages_of_it_alone
    from results.query.ids import find_id

    id_ = find_id(store, text)
    found = None
    for driver in drivers:
        trials = driver.trials(store)
        for trial in trials:
            if trial.trial_id == id_:
                found = trial
                request = StopRequest(_who(), trial.label, now)
                for key in stages_of_it_alone(trial, trials, driver.stopped_stages()):
                    driver.ask_to_stop(request, key)
    if found is None:
        name = drivers[0].sweep
        raise SweepError(
            f"{id_} is not a trial of a run of {name}: `fairdarts sweep status {name} --format "
            "json` lists its trials."
        )
    status = trial_status(store, found)
    if status.finished:
        print(f"{found.label}: nothing to stop, because it is {status.status}.")
        return
    print(
        f"{found.label}: asked {counted(len(drivers), 'run')} not to go on with it. If one "
        f"computes it now, that ends {_when(now)}; the other trials go on."
    )


def _when(now: bool) -> str:
    return "within seconds" if now else "after the epoch"


def _who() -> str:
    """Says who stops a run, to those who wonder why it has ended."""
    import psutil

    user = psutil.Process().username()
    return f"{user} on {socket.gethostname()} asked for it with `fairdarts sweep stop`"
