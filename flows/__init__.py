"""Flows read like a table of contents; they import tasks only."""
