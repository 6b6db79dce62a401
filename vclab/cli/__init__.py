"""The command line: one file a verb; shared parts in context, output, errors, times, follow, ssh and params."""
