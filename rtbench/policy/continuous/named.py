"""Finds a mapping by what the command line says: a preset, or a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.policy.continuous.mapping import ActionMapping, preset
from rtbench.policy.continuous.presets import PRESETS
from rtbench.task.yaml_loader import read_file


class NamedMapping(ActionMapping):
    """A mapping in a file of its own, with a name as its key."""

    name: str
    """Key under which it stands."""


def find_mapping(text: str) -> ActionMapping:
    """The mapping that a text names: a preset, or a YAML file with one entry, whose keys are a card's.

    Raises:
        UnknownNameError: no such preset.
        ContentError: a file that cannot be used, or that has no or several entries.
    """
    if not text.endswith((".yaml", ".yml")):
        if text not in PRESETS:
            raise UnknownNameError("action mapping", text, [*PRESETS, "FILE.yaml"], where="--action")
        return preset(text)
    path = Path(text).expanduser()
    found = list(read_file(path, NamedMapping).values())
    if len(found) != 1:
        raise ContentError(path, "", f"has {len(found)} entries; expected one mapping.")
    mapping = ActionMapping(**found[0].model_dump(exclude={"name"}, exclude_unset=True))
    return located(mapping, lambda name: path.resolve().parent / name).complete()


def located(mapping: ActionMapping, find: Callable[[str], Path]) -> ActionMapping:
    """The same with the place of its file of statistics, which stands beside the card."""
    asked = mapping.normalization
    if asked is None or Path(asked.statistics).is_absolute():
        return mapping
    place = str(find(asked.statistics).resolve())
    return mapping.model_copy(update={"normalization": asked.model_copy(update={"statistics": place})})
