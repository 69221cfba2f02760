"""Has the input, the score or the label moved? Distances between reference and current distributions."""
