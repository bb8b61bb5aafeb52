"""Plain torch modules: text transformer, knowledge graph, difference encoders, whole models."""
