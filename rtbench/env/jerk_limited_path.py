"""A path of joint angles with bounded speed, acceleration and jerk, which goes on with its speed.

A target that comes while the path still moves is taken up from where the path is, as fast as it is there. So
nothing stops between two actions. The law is nearly time-optimal: speed follows the greatest one from which
there is room to brake, acceleration follows speed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARPNESS = 60.0
"""Acceleration per lack of speed [1/s]: a quarter of the physics rate, so that it does not chatter."""
HOMING = 10.0
"""Speed per distance left near the target [1/s]: a sixth of `SHARPNESS`, so that it does not overshoot."""


class JerkLimitedPath:
    """The path of some joints; each moves by itself."""

    def __init__(self, place: Array, speed: Array, acceleration: Array, jerk: float) -> None:
        """At rest.

        Args:
            place: float64[n] [rad].
            speed: Greatest one, float64[n] [rad/s].
            acceleration: Greatest one, float64[n] [rad/s^2].
            jerk: Greatest one [rad/s^3].
        """
        self.place, self.speed = np.array(place), np.zeros(len(place))
        self._acceleration = np.zeros(len(place))
        self._most_speed, self._most, self._jerk = speed, acceleration, jerk
        # Braking from v takes v^2 / 2a and, until it brakes fully, v a / 2j.
        self._delay = acceleration**2 / (2 * jerk)

    def ahead(self, target: Array, steps: int, seconds: float) -> Array:
        """Go on towards a target for some steps; return the places on the way.

        Args:
            target: float64[n] [rad].
            steps: Number of steps.
            seconds: Length of each [s].

        Returns:
            float64[steps, n] [rad].
        """
        path = np.empty((steps, len(self.place)))
        change = self._jerk * seconds
        for step in range(steps):
            # Where and how fast it will be once it no longer accelerates.
            still = np.abs(self._acceleration) / self._jerk
            left = target - self.place - still * (self.speed + still * self._acceleration / 3)
            speed = self.speed + still * self._acceleration / 2
            far = np.abs(left)
            fastest = np.sqrt(self._delay**2 + 2 * self._most * far) - self._delay
            fastest = np.minimum(np.minimum(fastest, HOMING * far), self._most_speed)
            wanted = SHARPNESS * (np.copysign(fastest, left) - speed)
            wanted = np.minimum(np.maximum(wanted, -self._most), self._most)
            turn = np.minimum(np.maximum(wanted - self._acceleration, -change), change)
            self._acceleration = self._acceleration + turn
            self.speed = self.speed + seconds * self._acceleration
            self.place = self.place + seconds * self.speed
            path[step] = self.place
        return path
