"""A report of 2,000 episodes: how long it takes to write, what it weighs, how fast a browser opens it.

.venv/bin/python benchmarks/report.py [--episodes 2000] [--rounds 5] [--json FILE]

Outcomes are made up and first frames are noise that weighs more than real ones, so that no simulator is
needed. The browser is the chromium on the PATH, driven by playwright, without a cache. Opening ends with the
first frame painted after the list of episodes is there; filtering is what one letter in the search box takes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import Samples, ms, report

from rtbench.report.html import first_frames, page
from rtbench.report.html.options import Frames, Request
from rtbench.result.run import load_run

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.helpers.synthetic_runs import episodes, rated, write

MOST_MS, MOST_MB = 2000, 10
"""Targets of opening [ms] and of weight [MB]."""
OPENED = (
    """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"""
)
FILTERED = """() => {
  const start = performance.now(), box = document.getElementById("text");
  box.value = "t";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, writing = written(Path(folder), options.episodes)
        megabytes = path.stat().st_size / 1e6
        opening, filtering = opened(path, options.rounds)
    rows = [
        ["write, frames not counted", f"{1000 * writing:.0f} ms", ""],
        ["weight, with every first frame", f"{megabytes:.2f} MB", f"{MOST_MB} MB"],
        ["open in a browser", f"{ms(opening.summary())} ms", f"{MOST_MS} ms"],
        ["filter by a letter", f"{ms(filtering.summary())} ms", ""],
    ]
    data: dict[str, Any] = {
        "episodes": options.episodes,
        "write_s": round(writing, 3),
        "megabytes": round(megabytes, 3),
        "open_ms": opening.summary(),
        "filter_ms": filtering.summary(),
    }
    report(f"A report of {options.episodes} episodes", ["what", "measured", "at most"], rows, data)


def written(folder: Path, count: int) -> tuple[Path, float]:
    """The report of a run with a first frame for each episode, and how long it took [s]."""
    run = load_run(write(folder, rated(episodes(count), 0.6)))
    noise = np.random.default_rng(0).normal(128, 30, (256, 320, 3)).clip(0, 255).astype(np.uint8)
    picture = first_frames.Frame(first_frames.webp(noise), 0.5)
    first_frames.keep(run, dict.fromkeys((record.key for record in run.records), picture))
    start = time.perf_counter()
    made = page.write_report([run], folder / "report.html", Request(Frames.ALL))
    return made.path, time.perf_counter() - start


def opened(path: Path, rounds: int) -> tuple[Samples, Samples]:
    """How long the page takes to open, and a filter to act, each in a fresh context [s]."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    opening, filtering = Samples("open"), Samples("filter")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(rounds):
            context = browser.new_context()
            seen = context.new_page()
            seen.goto(path.as_uri())
            opening.values.append(seen.evaluate(OPENED) / 1000)
            filtering.values.append(seen.evaluate(FILTERED) / 1000)
            context.close()
        browser.close()
    return opening, filtering


if __name__ == "__main__":
    main()
