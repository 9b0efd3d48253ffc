"""Darkroom: an image service. Upload, variants, metadata, delivery and search; one core, two deployments."""

__version__ = "0.1.0"
