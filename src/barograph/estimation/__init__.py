"""Performance before the labels are in: every performance metric, estimated from profiles alone.

The reference says how often the label is positive (or how large the error is) in each cell of leaf × score bin.
Applied to the cells of a window without labels, this gives the window's *expected* tables, and the formulas of the
performance metrics do the rest. All of it holds only while the concept, P(label | features), is that of the reference.
"""
