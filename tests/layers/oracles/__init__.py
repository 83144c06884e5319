"""NumPy oracles: the formulas of the papers as loops, written without a look at the package."""
