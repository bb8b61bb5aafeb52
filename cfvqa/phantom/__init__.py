"""Procedural longitudinal chest radiographs, written in the published layouts."""

from cfvqa.phantom.writing import PhantomSettings, write_phantom

__all__ = ["PhantomSettings", "write_phantom"]
