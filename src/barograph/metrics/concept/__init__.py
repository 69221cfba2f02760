"""Has the rule changed? Labels that have arrived, against what the reference expects of the same cells."""
