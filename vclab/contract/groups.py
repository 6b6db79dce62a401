"""Groups of people, of images and of computers: what grants are given to and over."""

from vclab.contract.retiring import Named
from vclab.contract.use_case import Paged, act, anybody, delete, get, needs, patch, post, put, read
from vclab.contract.views import View
from vclab.model.access import GroupKind, Permission, ResourceKind


class Group(View):
    """A group, and how much is in it and hangs on it."""

    name: str
    kind: GroupKind
    title: str
    members: int
    grants: int  #: that are to it, or over it


class Member(View):
    """What is in a group."""

    kind: ResourceKind
    name: str


class DetailedGroup(Group):
    """A group with its members, by kind and name."""

    has: tuple[Member, ...]


class Add(Named):
    """A new group. ``title``: what people read, in any script."""

    kind: GroupKind
    title: str = ""


class Edit(Named):
    """Another title."""

    title: str


class Members(Named):
    """What joins or leaves a group: ``people`` one of people, ``images`` one of images; ``computers`` (lab machines)
    and ``endpoints``, which stand for all their computers, one of computers."""

    people: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    computers: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


class Leave(Members):
    """``all``: whatever is in it."""

    all: bool = False


GRANTS = needs(Permission.GRANT)

listing = read(
    "groups.listing",
    anybody(),
    Paged,
    tuple[Group, ...],
    get("/groups"),
    "All groups, by name; to those who neither grant nor audit, the groups that they are in, and that they have a role"
    " over.",
    pages="name",
)


show = read(
    "groups.show",
    anybody(),
    Named,
    DetailedGroup,
    get("/groups/{name}"),
    "One group and what is in it. Only those who grant or audit, and who have a role over it, see it.",
)


add = act(
    "groups.add",
    GRANTS,
    Add,
    DetailedGroup,
    put("/groups/{name}"),
    "Add a group. The same again changes nothing. A group of people that is called PROVIDER/GROUP follows that group of"
    " an identity provider: it has those who are in it there.",
)


edit = act(
    "groups.edit",
    GRANTS,
    Edit,
    DetailedGroup,
    patch("/groups/{name}"),
    "Change a group's title.",
)


join = act(
    "groups.join",
    GRANTS,
    Members,
    DetailedGroup,
    post("/groups/{name}/join"),
    "Put people, images, computers or endpoints into a group: all of them, or none if one is refused. What is in a"
    " group of images or computers is only for those who may use one of its groups.",
)


leave = act(
    "groups.leave",
    GRANTS,
    Leave,
    DetailedGroup,
    post("/groups/{name}/leave"),
    "Take something out of a group. An image or computer that is in no other one is for every user then.",
)


remove = act(
    "groups.remove",
    GRANTS,
    Named,
    None,
    delete("/groups/{name}"),
    "Remove a group that is empty and that no grant names.",
)
