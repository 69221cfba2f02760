"""From breaches to what a person is told: alerts with a state, silences, inhibition, and one incident a trouble."""
