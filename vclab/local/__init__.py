"""Verbs that look at this management node itself, whatever the command line talks to otherwise."""
