"""How the command line reaches a server: the ``Client`` protocol over HTTP, and the servers that a person knows."""
