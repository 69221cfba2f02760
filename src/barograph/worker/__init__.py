"""What turns filed events and labels into results, alerts and incidents: each step exactly once in effect."""
