"""`fairdarts derive`: derive a genotype from a stored search, by any rule, without a new search."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from cli.formats import Format, FormatOption, print_json
from cli.genotypes import describe, trial_rows
from cli.options import DEFAULT_STORE, StoreOption, settings_named_as
from cli.progress import working
from fairdarts.vocabulary import DeriveRule
from results.text import counted

if TYPE_CHECKING:
    from results.store.store import Store


def derive(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="Id of a trial or of its search, or its first digits."),
    ],
    rule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"One of {', '.join(get_args(DeriveRule))}; default: that of the method.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Lowest gate that survives; default: 0.85, or 0.75 in S2; not for the rule darts."
        ),
    ] = None,
    epoch: Annotated[
        int | None, typer.Option(help="Derive as if the search had ended with this epoch, from 0.")
    ] = None,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Derive a genotype from a stored search.

    Prints the genotype, as text and as JSON, how close the decision was, and how many of the last
    epochs gave the same genotype. Does not search, and does not change the store. As JSON:
    search_key, method, space, epoch, rule, op_threshold, valid, invalid_reason, margins,
    stable_epochs, genotype (pruned) and raw_genotype.

    Examples:

    \b
        fairdarts derive 2ab06ff84962f250 --threshold 0.7
        fairdarts derive 2ab06ff84962f250 --rule darts --epoch 3
    """
    from fairdarts.config import DeriveConfig
    from fairdarts.errors import ConfigError
    from fairdarts.genotype.any_genotype import derive_epochs
    from fairdarts.presets import presets
    from fairdarts.spaces import get_space
    from results.store.store import Store

    opened = Store.open(store)
    search_key, method, space = _find_search(opened, id_)
    given = {"rule": rule, "op_threshold": threshold}
    values = {name: value for name, value in given.items() if value is not None}
    with settings_named_as(rule="--rule", op_threshold="--threshold"):
        config = DeriveConfig.build(presets(method, space)["derive"] | values)
    if config.threshold is None and threshold is not None:
        raise ConfigError(
            f"--threshold (={threshold:g}) does not fit the rule {config.rule}, which has no "
            "threshold: leave it out, or add --rule threshold."
        )
    gates = _gates(opened, search_key, epoch)
    derivation, num_stable = derive_epochs(gates, config, get_space(space))
    reason = derivation.pruned.invalid_reason()
    if format_ is Format.JSON:
        print_json(
            {
                "search_key": search_key,
                "method": method,
                "space": space,
                "epoch": len(gates) - 1,
                "rule": config.rule,
                "op_threshold": config.threshold,
                "valid": reason is None,
                "invalid_reason": reason,
                "margins": dict(derivation.margins),
                "stable_epochs": num_stable,
                "genotype": derivation.pruned.to_dict(),
                "raw_genotype": derivation.genotype.to_dict(),
            }
        )
        return
    by = config.rule if config.threshold is None else f"{config.rule} {config.threshold:g}"
    print(f"search {search_key} ({method}), epoch {len(gates) - 1}, rule {by}")
    print(describe(derivation.genotype))
    if reason:
        print(f"It builds no network: {reason}. Search longer, or lower the --threshold.")
    margins = ", ".join(
        f"{kind} {'-' if margin is None else f'{margin:.4g}'}"
        for kind, margin in derivation.margins.items()
    )
    print(f"margins (lowest gate kept minus highest dropped): {margins}")
    print(f"the last {num_stable} of {counted(len(gates), 'epoch')} gave this genotype")
    print(derivation.pruned.to_json())


def _find_search(store: "Store", id_: str) -> tuple[str, str, str]:
    """Find key, method and space of a search by its id, or by the id of its trial."""
    from results.errors import StoreError
    from results.query.ids import find_id

    id_ = find_id(store, id_)
    for row in trial_rows(store):
        if id_ in (row["trial_id"], row["search_key"], row["derive_key"], row["sample_key"]):
            if row["search_key"] is None:
                raise StoreError(
                    f"trial {row['trial_id']} has no search (its method is {row['method']}): give "
                    "the id of a trial that has one."
                )
            return row["search_key"], row["method"], row["space"]
    raise StoreError(
        f"{id_} is not the id of a trial or of its search: `fairdarts show {id_}` says what it is."
    )


@working("reading the search")
def _gates(store: "Store", search_key: str, epoch: int | None) -> list[list[float]]:
    """Read the gates of every epoch up to `epoch`.

    None: up to the epoch that a stopping rule chose, or else to the last one.
    """
    from fairdarts.genotype.any_genotype import epochs_that_count
    from results.errors import StoreError

    columns = ["epoch", "gates", "chosen_epoch"]
    rows = store.read("epochs", [search_key], columns).sort_by("epoch").to_pylist()
    if not rows:
        raise StoreError(f"search {search_key} has not finished an epoch yet: run it first.")
    if epoch is not None and not 0 <= epoch < len(rows):
        raise StoreError(
            f"--epoch (={epoch}) must be one of the epochs 0 to {len(rows) - 1} that search "
            f"{search_key} has finished."
        )
    rows = epochs_that_count(rows) if epoch is None else rows[: epoch + 1]
    return [row["gates"] for row in rows]
