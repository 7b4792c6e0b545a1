"""`berth plan`: what the next tick would do, why and at what cost, without doing it."""

from typing import Annotated
from urllib.parse import quote

import typer

from berth.cli.asking import StatusFunction

Url = Annotated[
    str,
    typer.Option(envvar="BERTH_STATUS_URL", help="The status function's URL.", show_envvar=True),
]
Token = Annotated[
    str,
    typer.Option(
        envvar="BERTH_IDENTITY_TOKEN",
        help="An identity token; without one gcloud is asked for it, for https alone.",
        show_envvar=True,
    ),
]


def plan(
    shard: Annotated[
        str, typer.Argument(help="Tell what this shard's next passes have to do.")
    ] = "",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON (docs/schemas/plan.json, plan-shard.json).")
    ] = False,
    url: Url = "",
    token: Token = "",
) -> None:
    """Tell what the next tick would do, why, and what it costs. Changes nothing.

    Exit codes: 0 told; 1 not answered; 2 wrong usage; 3 not allowed; 4 no such shard.
    """
    path = f"/plan/{quote(shard, safe='')}" if shard else "/plan"
    typer.echo(StatusFunction(url, token).ask(path, form="json" if as_json else "text"), nl=False)
