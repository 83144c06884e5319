"""Attention that sums a sequence up."""
