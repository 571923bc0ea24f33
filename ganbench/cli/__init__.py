"""The command line: one file a command. Results go to stdout, progress and errors to stderr.

Exit codes: 0 done; 1 some runs failed or a check fell short; 2 bad usage or bad input; 130 interrupted.
"""

from __future__ import annotations

import importlib
import keyword
import sys

import click

from ganbench.errors import GanbenchError, nearest

COMMANDS = ("sweep", "report", "run", "eval", "import", "export", "list", "show", "check")
INTERRUPTED = 130


class _Commands(click.Group):
    """Commands by name, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"ganbench.cli.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            raise click.UsageError(f"unknown command {args[0]!r}: {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ganbench", message="%(prog)s %(version)s")
def ganbench() -> None:
    """Train, score and rank generative adversarial networks.

    \b
    ganbench sweep                     the embedded default: mixtures of Gaussians, a minute or two
    ganbench report csv                the leaderboard of the store
    ganbench list variants             what can be trained
    """


def main() -> None:
    """The entry point: every error of ours is one line on stderr and an exit code, never a traceback."""
    try:
        sys.exit(ganbench.main(standalone_mode=False) or 0)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:
        _fail("interrupted", INTERRUPTED)
    except KeyboardInterrupt:
        _fail("interrupted; everything finished is kept, the same command goes on", INTERRUPTED)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except GanbenchError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output left: not worth a word
        sys.exit(0)


def _fail(message: str, code: int) -> None:
    click.echo(f"ganbench: {' '.join(message.split())}", err=True)
    sys.exit(code)
