"""One thin Hydra application a command."""
