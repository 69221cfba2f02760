"""How good are the predictions? Metrics of predictions against the labels that have arrived."""
