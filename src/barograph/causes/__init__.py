"""Why a number moved: what the change of a metric is made of, and which features it can be put down to."""
