"""LightningModules, phases, callbacks and checkpoints: one way to train, resume and log."""
