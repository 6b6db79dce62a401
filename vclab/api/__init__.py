"""The HTTP API: the use cases of the contract as routes, for portals, the command line, scripts and other systems."""
