"""Sending files of events and labels to a server."""
