"""The service layer: everything that a person can do, decided here for every face of vclab.

A use case is one coroutine that takes a ``Call`` and a ``Question``, and returns a view. Who may call it is its
``Rule``, checked before it runs; each one that changes anything is an act, whose intent is recorded first. Here is no
typer, no FastAPI and no printing: the command line and the HTTP API call the same use cases.
"""
