"""The service layer: everything that a person can do, decided here for every face of vclab.

``vclab.contract`` declares the use cases; here is for each one the coroutine that does it, which takes a ``Call`` and a
``Question``, and returns a view. ``use_case.perform`` checks who may call it, and records the intent of an act first.
Here is no typer, no FastAPI and no printing.
"""
