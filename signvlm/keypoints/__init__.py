"""The key-point detector: an image of a person in, a heatmap for each of the 64 named points out."""
