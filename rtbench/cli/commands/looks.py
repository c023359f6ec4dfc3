"""`rtbench looks`: draws demonstrations again under random looks, with the names of all that is seen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rtbench.cli.options import Content, Jobs

EXAMPLE = "Example:  rtbench looks demos.h5 --looks 2 --output looks.h5"


def looks(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="HDF5 file of `rtbench demos`.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="HDF5 file to write.")],
    number: Annotated[
        int, typer.Option("--looks", min=0, metavar="N", help="Number of looks of each demonstration.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Number of the draw of looks.")] = 0,
    own: Annotated[
        bool, typer.Option("--own", help="Also draw each demonstration in the room's own look.")
    ] = False,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of frames of each look, of random steps. Only for networks that see one frame.",
            show_default="all",
        ),
    ] = None,
    jobs: Jobs = None,
    content: Content = None,
) -> None:
    """Draw demonstrations again under random surfaces, colours, light and small shifts of the camera.

    The same command continues a drawing that was stopped or killed. The frames are drawn from the recorded states of the simulator, and the name and place of all that is seen
    is stored with them, for `rtbench train rt1 --naming-loss-weight`. No texture, light or camera of the
    suite novel is used.
    """
    from rtbench.cli.console import console
    from rtbench.core.errors import RtbenchError
    from rtbench.data.redraw import Redrawing, redraw
    from rtbench.evaluation.launch import MOST_WORKERS
    from rtbench.task.library import Library

    if not number and not own:
        raise RtbenchError("--looks 0: there is nothing to draw; give --own, or a number of 1 or more.")
    if output.resolve() == file.resolve():
        raise RtbenchError(f"--output {output}: is the file that is read; give another name.")
    library = Library(tuple(content or ()))
    with console().status("drawing") as status:
        done = redraw(
            file, output, Redrawing(number, seed, own, frames, library),
            lambda k, n: status.update(f"drawing: {k} of {n} demonstrations"),
            workers=jobs or min(os.cpu_count() or 1, MOST_WORKERS),
        )  # fmt: skip
    size = f"{output.stat().st_size / 1e6:.1f} MB"
    mean = done.labels / done.frames
    console().print(
        f"demonstrations: {done.demonstrations}, frames: {done.frames}, names per frame: {mean:.1f}, {size}: "
        f"{output}",
        markup=False,
        soft_wrap=True,
    )
