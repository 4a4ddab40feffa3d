"""Evaluation: what a recogniser answers on a split, the numbers that follow from it, and the page that shows them."""
