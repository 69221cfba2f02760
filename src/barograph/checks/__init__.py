"""What a check finds: result rows judged, what was not checked, and the verdict."""
