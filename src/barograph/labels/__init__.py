"""Labels that come late, partly, corrected or for a biased selection; and how far an estimate can be trusted.

Pure functions over arrays and profiles: events and labels go in with an as-of time, numbers with their shares come out.
"""
