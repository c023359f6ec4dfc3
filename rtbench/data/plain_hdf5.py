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
        if not group.id.links.exists(name.encode()):
            raise KeyError(f"{name} is missing")
        _check_link(group.id, name.encode(), name)


def arrays(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """All arrays in a group and below it, by their path from it, such as "obs/head".

    By HDF5's own calls: h5py's look each member up several times, and a demonstration of eight frames took
    8.7 ms to read, of which its images took 2.2.

    Raises:
        ValueError: a link, a virtual dataset, storage in other files, or an array above `LARGEST`.
        RuntimeError: a group that lies in itself.
    """
    found: dict[str, h5py.Dataset] = {}
    _collect(group.id, "", found)
    return found


def _collect(group: h5py.h5g.GroupID, above: str, found: dict[str, h5py.Dataset]) -> None:
    for name in group:
        path = above + name.decode()
        _check_link(group, name, path)
        member = h5py.h5o.open(group, name)
        if isinstance(member, h5py.h5g.GroupID):
            _collect(member, path + "/", found)
        elif isinstance(member, h5py.h5d.DatasetID):
            found[path] = h5py.Dataset(member)
            check_array(found[path], path)
        else:
            raise ValueError(f"{path} is no array")  # noqa: TRY004 - of the file's content


def _check_link(group: h5py.h5g.GroupID, name: bytes, path: str) -> None:
    """Refuse a member that is a soft link or one to another file."""
    if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"{path} is a link, which demonstrations do not have")


def check_array(array: h5py.Dataset, path: str) -> None:
    """Refuse an array that is not in the file itself or is too large to read.

    Raises:
        ValueError: a virtual dataset, storage in other files, or an array above `LARGEST`.
    """
    made = array.id.get_create_plist()
    if made.get_layout() == h5py.h5d.VIRTUAL or made.get_external_count():
        raise ValueError(f"{path} lies in other files")
    if array.nbytes > LARGEST:
        raise ValueError(f"{path} has {array.nbytes:,} bytes, at most {LARGEST:,} are read")
