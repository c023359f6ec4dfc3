"""Puts a robot policy behind a server that rtbench evaluates; needs neither rtbench nor a simulator."""

from rtbench_client.observation import Observation
from rtbench_client.server import Server, serve

__all__ = ["Observation", "Server", "serve"]
