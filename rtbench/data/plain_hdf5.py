"""HDF5 from strangers: what leads to other files, or would fill the memory, is refused before it is read."""

from __future__ import annotations

from collections.abc import Iterable

import h5py

LARGEST = 2**31
"""Bytes of an array that are read: an episode of 10,000 steps with images of 256 by 256 pixels has 2 GB."""


def plain_links(group: h5py.Group, names: Iterable[str]) -> None:
    """Refuse soft links and links to other files among the members of those names.

    Raises:
        ValueError: there is one; names it.
        KeyError: there is no such member.
    """
    for name in names:
        link = group.get(name, getlink=True)
        if link is None:
            raise KeyError(f"{name} is missing")
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name} is a link, which demonstrations do not have")  # noqa: TRY004


def plain(found: h5py.Group | h5py.Dataset) -> None:
    """Refuse what is not an array in the file itself, in a group or any below it.

    Raises:
        ValueError: a link, a virtual dataset, storage in other files, or an array above `LARGEST`.
    """
    if isinstance(found, h5py.Group):
        plain_links(found, found)
        for member in found.values():
            plain(member)
        return
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{found.name} is no array")  # noqa: TRY004 - of the file's content
    if found.is_virtual or found.external:
        raise ValueError(f"{found.name} lies in other files")
    if found.nbytes > LARGEST:
        raise ValueError(f"{found.name} has {found.nbytes:,} bytes, at most {LARGEST:,} are read")
