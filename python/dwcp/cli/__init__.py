"""The command ``dwcp``; one module per command."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import EPILOG

app = typer.Typer(
    name="dwcp",
    help="Verified remote replicas of large, changing binary state: send only what changed.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    # Python's own tracebacks, without the values of variables: some of those are tokens.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import dwcp

        typer.echo(f"dwcp {dwcp.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    del version


def _register() -> None:
    from .demo import demo
    from .follow import follow
    from .info import info
    from .publish import publish

    for command in (publish, follow, demo, info):
        app.command(epilog=EPILOG)(command)


_register()


def main() -> None:
    """Run the command line and end the process with a documented exit code."""
    app(prog_name="dwcp")
