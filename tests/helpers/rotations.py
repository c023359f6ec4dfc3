"""Angles of quaternions."""

import math

from rtbench.core.rotation import rotate


def tilt_of(q):
    """Angle [rad] between the turned z axis and up, 0 to pi."""
    return math.acos(min(1.0, max(-1.0, float(rotate(q, [0.0, 0.0, 1.0])[2]))))
