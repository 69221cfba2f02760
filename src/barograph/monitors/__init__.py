"""What is watched, and the pure evaluation of profiles to result rows."""
