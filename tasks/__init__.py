"""Adapters, one for each outside system."""
