"""The command line. Each group of commands has a file; what they need they import when they run.

So `rtbench --help` loads neither numpy nor the simulator. A new group is a file with a function and a line in
`rtbench.cli.app`.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rtbench.cli import process
from rtbench.core import early_interrupt


def main() -> None:
    """Run the command line as a process of its own; exits with one of `rtbench.core.errors.Exit`.

    Python would exit with 1 after a crash of ours, and libraries do after a closed pipe. That is what a
    regression exits with: a CI job must not take one for the other.
    """
    process.open_streams()
    with process.interruptible():
        code = _code()
        if code >= 128:  # a signal's
            process.leave(code)
        sys.exit(process.flush() or code)


def run_command() -> None:
    """Run the command line within this process, with its streams and signals as they are.

    Raises:
        SystemExit: always, with one of `rtbench.core.errors.Exit`.
    """
    sys.exit(_code())


def _code() -> int:
    """The exit code of the command in `sys.argv`."""
    from rtbench.core.errors import Exit, RtbenchError

    try:
        from rtbench.cli.app import app
        from rtbench.cli.console import print_error

        try:
            with _usable_names():
                app(prog_name="rtbench")
        except RtbenchError as error:
            print_error(str(error))
            return error.exit_code
    except process.OutputError as error:
        return process.report(error)
    except SystemExit as ending:
        return _ended(ending)
    except KeyboardInterrupt:
        print(early_interrupt.SENTENCE, file=sys.stderr)
        return Exit.INTERRUPTED
    except Exception:  # noqa: BLE001 - whatever it is, it has a traceback and an exit code of its own
        return _crash()
    return Exit.OK


def _ended(ending: SystemExit) -> int:
    """The exit code with which a command, or typer, ended."""
    from rtbench.core.errors import Exit

    if ending.code == Exit.INTERRUPTED and process.came_from(ending, KeyboardInterrupt):
        print(early_interrupt.SENTENCE, file=sys.stderr)
    if process.came_from(ending, EOFError):
        # typer takes it for the end of a dialogue, and would exit with a regression's code.
        return _crash()
    return ending.code if isinstance(ending.code, int) else Exit.OK if ending.code is None else Exit.USAGE


def _crash() -> int:
    """Show the exception that is handled; the exit code of a crash."""
    import traceback

    from rtbench.core.errors import Exit

    traceback.print_exc()
    print(
        "error: this is a fault in rtbench, or in a policy's own code; the traceback stands above.",
        file=sys.stderr,
    )
    return Exit.CRASH


@contextmanager
def _usable_names() -> Iterator[None]:
    """Names of files come from everywhere, and the system refuses some as soon as they are looked at."""
    from rtbench.core.errors import RtbenchError
    from rtbench.core.text import storable

    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        raise RtbenchError(f"{storable(str(error.filename), 80)}: {error.strerror}.") from None
