"""The durable steps: thin. Each decodes, fences, calls vclab and encodes; heartbeats and errors live here.

``exports.export`` makes all that a worker registers.
"""
