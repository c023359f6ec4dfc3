"""`rtbench serve`: serves a policy to other harnesses, robots and machines."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from rtbench.cli.options import Content
from rtbench.cli.policy_arg import PolicyArguments, parse

EXAMPLE = "Example:  rtbench serve --policy rt1 --protocol openpi"


def serve(  # noqa: PLR0913 - each is an option
    *,
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Policy to serve: as for `rtbench run`. It must decide by images, as rt1 does.",
        ),
    ],
    protocol: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Protocol that clients speak: openpi, roboarena, vla-eval, gr00t or roboeval.",
        ),
    ] = "openpi",
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen at. Others than the loopback's need a key, which the environment "
            "variable RTBENCH_API_KEY holds and clients must send.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen at; 0 for any that is free.")
    ] = 8000,
    keys: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Keys under which clients send images: rtbench, libero, droid, roboarena, vla-eval, "
            "vla-eval-libero, gr00t, gr00t-libero, roboeval or roboeval-libero.",
            show_default="those that go with the protocol",
        ),
    ] = None,
    action: Annotated[
        str,
        typer.Option(
            metavar="MAPPING",
            help="What the numbers sent mean: rt1-11d, or for clients that expect seven, bridge-7d, "
            "fractal-7d or libero-7d.",
        ),
    ] = "rt1-11d",
    policy_arg: PolicyArguments = None,
    policy_timeout: Annotated[
        float, typer.Option(min=0.001, metavar="SECONDS", help="Longest time that one decision may take.")
    ] = 60.0,
    content: Content = None,
) -> None:
    """Serve a policy over the network, until Ctrl-C.

    Any number of clients up to 64 may ask at once. Each has an episode of its own; requests that wait are
    decided in one batch. A GET of /healthz answers OK.
    """
    from rtbench.cli.console import note
    from rtbench.core.extras import require

    require("remote", "rtbench serve")
    from rtbench.evaluation.player import player_of
    from rtbench.evaluation.serving.host import PolicyHost
    from rtbench.evaluation.serving.listening import Listening
    from rtbench.evaluation.serving.serve import serve_forever, url_of
    from rtbench.evaluation.serving.translation import translation
    from rtbench.policy.card import resolve
    from rtbench.policy.remote.address import KEY_VARIABLE, check_protocol
    from rtbench.task.library import Library

    check_protocol(protocol)
    where = Listening(host, port, os.environ.get(KEY_VARIABLE) or None)
    where.check()
    player = player_of(resolve(policy, Library(content or ()), parse(policy_arg or ())))
    served = PolicyHost(player, limit_s=policy_timeout)

    def ready(found: int) -> None:
        url = url_of(protocol, where, found)
        note(f"policy {served.name} by protocol {protocol} at {url}; Ctrl-C ends it.")

    try:
        how = translation(protocol, served.cameras, keys, action)
        asyncio.run(serve_forever(served, how, protocol, where, ready))
    finally:
        served.close()
