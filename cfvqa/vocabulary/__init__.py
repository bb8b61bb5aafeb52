"""Regions, findings and levels: plain data that every room may import."""
