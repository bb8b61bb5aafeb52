"""Procedural longitudinal chest radiographs, written in the published layouts."""

from cfvqa.phantom.writing import DRAWING, PhantomSettings, write_phantom

__all__ = ["DRAWING", "PhantomSettings", "write_phantom"]
