"""The simulated kitchen: robot, scene, placement, control and rendering."""
