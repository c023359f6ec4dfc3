"""Networks in torch. Nothing here imports the simulator."""
