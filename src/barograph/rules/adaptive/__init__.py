"""The rule for series with a daily and weekly rhythm."""
