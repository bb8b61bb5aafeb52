"""Judged runs side by side."""
