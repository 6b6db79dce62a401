"""The vocabulary: states, reservations, images, computers, plans and facts, and the rules as pure functions.

Frozen dataclasses that travel through workflow histories: every field added later needs a default.
"""
