"""Clips in, datasets out: knows pixels, knows no model."""
