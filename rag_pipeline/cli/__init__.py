"""The command `rag-pipeline`.

Commands live in modules, each with a Typer app named `commands`; a new module is one line in `_modules`.
`options` holds what all commands share. Whatever is heavy is imported inside commands: `--help` must be instant.
"""

import signal
import sys

import typer

from rag_pipeline.cli import documents, qdrant, serve
from rag_pipeline.errors import RagPipelineError, UsageError

USAGE_EXIT_CODE = 2
FAILURE_EXIT_CODE = 1

_modules = (serve, documents, qdrant)

app = typer.Typer(
    name="rag-pipeline",
    help="Keeps folders of documents searchable.",
    no_args_is_help=True,
    add_completion=False,
    # Its pretty tracebacks print the values of variables, secrets among them.
    pretty_exceptions_enable=False,
)
for _module in _modules:
    app.add_typer(_module.commands)


def main() -> None:
    """Run a command. Our own errors are a sentence on stderr and an exit code; anything else is a traceback.

    Exit codes: 0 done; 1 something failed; 2 it cannot be done as asked (`UsageError`, or wrong options).
    """
    hear_interrupts()
    try:
        app()
    except RagPipelineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USAGE_EXIT_CODE if isinstance(error, UsageError) else FAILURE_EXIT_CODE)


def hear_interrupts() -> None:
    """SIGINT interrupts this process and, by default, what it starts.

    A shell starts the background jobs of a script (`nohup rag-pipeline up &`) with SIGINT ignored, and ignoring is
    inherited: the servers, which are stopped by SIGINT, would not hear it and be killed after their grace.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
