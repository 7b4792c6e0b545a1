"""The commands of `berth`, put together."""

import sys

import typer

from berth.cli.failures import Failure
from berth.cli.plan import plan

app = typer.Typer(
    help="Look after a Berth deployment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a failure says what to do, a bug shows its own trace
)


@app.callback()
def berth() -> None:
    """Look after a Berth deployment."""


app.command()(plan)


def main() -> None:
    """Run one command; a failure is said on standard error and ends with its exit code."""
    try:
        app()
    except Failure as failure:
        typer.echo(failure, err=True)
        sys.exit(failure.code)
