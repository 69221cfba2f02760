"""Whom to tell of an incident, when, in what words, and over which wire."""
