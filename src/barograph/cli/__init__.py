"""The command line. One file a command; heavy imports happen inside the command that needs them."""

from barograph.cli.app import main

__all__ = ["main"]
