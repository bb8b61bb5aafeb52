"""From tables and image files to batches: image sets, feature store, pair sets, DataModules."""
