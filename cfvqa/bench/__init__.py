"""Figures of speed, measured side by side on the machine at hand: one file a question."""
