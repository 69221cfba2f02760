"""Events and labels as they come over the wire or from files: expanded, decoded, validated row by row."""
