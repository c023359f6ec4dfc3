"""Options that have another name than before: the old name is refused, and the new one told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

RENAMED: Mapping[str, Mapping[str, str]] = {
    "train rt1": {
        "--rate": "--lr",
        "--average": "--ema-decay",
        "--clip": "--grad-clip",
        "--spread": "--label-smoothing-bins",
        "--shift": "--random-shift",
        "--held-back": "--val-fraction",
        "--frozen": "--freeze-backbone",
        "--pointing": "--keypoint-loss-weight",
        "--distance": "--rps-weight",
    },
    "demos": {"--glimpses": "--short-segments"},
}
"""Command -> old name -> new name."""


def refusal(command: str, arguments: Iterable[str], known: Collection[str]) -> str:
    """A sentence for the first option under an old name; '' where there is none.

    Args:
        command: Name of the command without 'rtbench', such as 'train rt1'.
        arguments: What follows it. Nothing after '--' is an option.
        known: Names of the options that the command has. A name among them is never old.
    """
    renamed = RENAMED.get(command, {})
    for argument in arguments:
        if argument == "--":
            break
        name = argument.partition("=")[0]
        if name in renamed and name not in known:
            return f"{name} is now {renamed[name]}; see `rtbench {command} --help`."
    return ""
