"""`fairdarts search` as a process: what it prints when it fails, and when it is interrupted."""

import json
import signal
from pathlib import Path

from command_process import run, start
from stored_images import png, write_images

SEARCH = ["search", "--seed", "3"]
SETTINGS = {
    "data.num_train": 40,
    "data.num_test": 20,
    "search.init_channels": 2,
    "search.num_cells": 3,
    "search.batch_size": 20,
}


def arguments(store: Path, **more: object) -> list[str]:
    settings = SETTINGS | {f"search.{name}": value for name, value in more.items()}
    given = (f"--set={name}={value}" for name, value in settings.items())
    return [*SEARCH, f"--store={store}", *given]


def test_why_a_search_has_no_result_is_printed_once(tmp_path: Path) -> None:
    done = run(*arguments(tmp_path / "store", epochs=1))

    assert done.returncode == 1
    assert (done.stdout + done.stderr).count("no live node") == 1
    assert "log: " in done.stdout


def test_an_interrupted_search_says_in_one_line_how_to_continue_and_does(tmp_path: Path) -> None:
    process = start(*arguments(tmp_path / "store", epochs=1000))
    assert process.stdout is not None
    with process:
        while "epoch" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert errors == (
        "Interrupted. All finished epochs are kept; continue with the same command.\n"
    )
    # It is free at once for the next attempt.
    (attempt,) = tmp_path.glob("store/stages/search/*/*/attempts/a0001")
    assert (attempt / "RELEASED").exists()


def test_why_a_retraining_failed_is_printed_once(tmp_path: Path) -> None:
    write_images(tmp_path / "images", [png(0), b"not an image"] * 6)
    size = ("init_channels=2", "num_cells=3", "epochs=1", "batch_size=4", "auxiliary_weight=0")
    settings = [f"--set=retrain.{setting}" for setting in (*size, "cutout=0", "warmup_epochs=0")]
    done = run(
        "retrain",
        "FairDARTS_b",
        f"--data=parquet:{tmp_path / 'images'}",
        f"--store={tmp_path / 'store'}",
        *settings,
    )

    assert done.returncode == 1
    assert (done.stdout + done.stderr).count("train.parquet, row 1 is not a readable image") == 1


def test_a_store_tells_how_it_was_made_and_no_secret_of_the_environment(tmp_path: Path) -> None:
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "k3y-0f-the-cloud",
        "WANDB_API_KEY": "k3y-0f-a-service",
        "RAY_AUTH_TOKEN": "t0ken-of-the-cluster",
        "MY_PASSWORD": "hunter2-and-more",
    }
    command = arguments(tmp_path / "store", epochs=1)
    run(*command, env=secrets)

    whole = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    (plan,) = tmp_path.glob("store/sweeps/*/0001.json")
    assert json.loads(plan.read_text("utf-8"))["command"].startswith("fairdarts search --seed 3")
    for secret in secrets.values():
        assert secret.encode() not in whole


def test_stdout_of_a_search_as_json_is_one_document(tmp_path: Path) -> None:
    done = run(*arguments(tmp_path / "store", epochs=1), "--format", "json")

    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["status"], document["stage"]) == ("invalid", "derive")
    assert "invalid: " in done.stderr
