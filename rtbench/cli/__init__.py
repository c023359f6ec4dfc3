"""The command line. Each group of commands has a file; what they need they import when they run.

So `rtbench --help` loads neither numpy nor the simulator. A new group is a file with a function and a line in
`rtbench.cli.app`.
"""

from __future__ import annotations

import sys
import traceback

from rtbench.core.errors import Exit, RtbenchError


def main() -> None:
    """Run the command line; exits with one of `rtbench.core.errors.Exit`.

    Typer itself exits with 2 for a usage error, and with 130 after Ctrl-C. Python would exit with 1 after a
    crash of ours, which is what a regression exits with: a CI job must not take one for the other.
    """
    from rtbench.cli.app import app
    from rtbench.cli.console import print_error

    try:
        app(prog_name="rtbench")
    except RtbenchError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001 - whatever it is, it has a traceback and an exit code of its own
        traceback.print_exc()
        print_error("this is a fault in rtbench, or in a policy's own code; the traceback stands above.")
        sys.exit(Exit.CRASH)
