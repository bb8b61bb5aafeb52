"""Training objectives: one file a loss family, pure functions over tensors first."""
