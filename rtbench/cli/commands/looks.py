"""`rtbench looks`: draws demonstrations again under random looks, with the names of all that is seen."""

from __future__ import annotations

import os

from rtbench.cli.looks_options import LooksOptions
from rtbench.cli.options_object import takes

EXAMPLE = "Example:  rtbench looks demos.h5 --looks 2 --output looks.h5"
MOST_JOBS = 8
"""Most processes where none are asked for."""


@takes(LooksOptions)
def looks(options: LooksOptions) -> None:
    """Draw demonstrations again under random surfaces, colours, light and small shifts of the camera.

    The same command continues a drawing that was stopped or killed. The frames are drawn from the recorded
    states of the simulator, and the name and place of all that is seen is stored with them, for `rtbench
    train rt1 --naming-loss-weight`. No texture, light or camera of the suite novel is used.
    """
    from rtbench.cli.console import console
    from rtbench.core.errors import RtbenchError
    from rtbench.data.redraw import Redrawing, redraw
    from rtbench.task.library import Library

    file, output = options.file, options.output
    if not options.number and not options.own:
        raise RtbenchError("--looks 0: there is nothing to draw; give --own, or a number of 1 or more.")
    if output.resolve() == file.resolve():
        raise RtbenchError(f"--output {output}: is the file that is read; give another name.")
    library = Library(tuple(options.content or ()))
    how = Redrawing(options.number, options.seed, options.own, options.frames, library)
    with console().status("drawing") as status:
        done = redraw(
            file, output, how,
            lambda k, n: status.update(f"drawing: {k} of {n} demonstrations"),
            workers=options.jobs or min(os.cpu_count() or 1, MOST_JOBS),
        )  # fmt: skip
    size = f"{output.stat().st_size / 1e6:.1f} MB"
    mean = done.labels / done.frames
    console().print(
        f"demonstrations: {done.demonstrations}, frames: {done.frames}, names per frame: {mean:.1f}, {size}: "
        f"{output}",
        markup=False,
        soft_wrap=True,
    )
