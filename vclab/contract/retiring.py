"""Disabling, enabling and removing what administrators keep; the same for users, images, endpoints and computers."""

from vclab.contract.use_case import Question


class Named(Question):
    """The name of a user, an image, an endpoint or a computer."""

    name: str


class Disable(Named):
    """``why`` is shown to people."""

    why: str = ""
