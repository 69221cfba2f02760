"""Has the input, the score or the label moved? Distances between reference and current distributions.

Each metric returns, with its value, the mean and the standard deviation that the value has when nothing has
changed (`null_mean`, `null_sd`): for independent rows, at the number of rows that there are. Rows that come in
bursts or days that differ by nature move more than that. The divergences (PSI, Jensen–Shannon, Hellinger,
Cramér’s V, MMD) are above zero by an amount that is known when nothing has changed, and it is taken off, so that
small and large chunks can be compared; the other distances are left as they are and compared with `null_mean`.

The default tolerances are all about the same change: a normal feature that moves by 0.2 standard deviations.
"""
