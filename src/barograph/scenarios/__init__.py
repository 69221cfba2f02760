"""Scenarios: what should happen to alerts, as text that anybody can write, run with the rules of production."""
