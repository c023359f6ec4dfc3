"""rtbench's suites as environments of LeRobot; importing this registers the type `rtbench`."""

from lerobot_env_rtbench.config import RtbenchEnv
from lerobot_env_rtbench.environment import SuiteEnv

__all__ = ["RtbenchEnv", "SuiteEnv"]
