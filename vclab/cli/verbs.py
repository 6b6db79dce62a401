"""The verbs and nouns that every command line has: what ``vclab --help`` says of them, and where their code is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A verb, or a noun with verbs of its own. ``place``: ``module:function``, or ``module:app`` of a noun."""

    name: str
    place: str
    help: str
    hidden: bool = False  #: other programs call it


VERBS = (
    Verb("login", "vclab.cli.login:login", "Sign in at a server."),
    Verb("logout", "vclab.cli.login:logout", "Sign out, and end the token."),
    Verb("images", "vclab.cli.images:images", "List the images that can be reserved."),
    Verb("reserve", "vclab.cli.reserve:reserve", "Reserve a computer with an image."),
    Verb("list", "vclab.cli.list:list_", "List your reservations."),
    Verb("show", "vclab.cli.show:show", "Show one reservation."),
    Verb("why", "vclab.cli.why:why", "Explain why a reservation is where it is."),
    Verb("watch", "vclab.cli.watch:watch", "Follow a reservation until it ends."),
    Verb("connect", "vclab.cli.connect:connect", "Open the computer to your address, and log in."),
    Verb("extend", "vclab.cli.extend:extend", "Keep a computer longer."),
    Verb("move", "vclab.cli.move:move", "Move a reservation that has not started."),
    Verb("reboot", "vclab.cli.reboot:reboot", "Restart a computer that you have connected to."),
    Verb("reinstall", "vclab.cli.reinstall:reinstall", "Bring a computer back to its image."),
    Verb("capture", "vclab.cli.capture:capture", "Make an image of what a computer holds."),
    Verb("end", "vclab.cli.end:end", "End a reservation now."),
    Verb("dismiss", "vclab.cli.dismiss:dismiss", "Take a failed reservation off `vclab list`."),
    Verb("status", "vclab.cli.status:status", "Show whether all parts of the installation run."),
    Verb("history", "vclab.cli.history:history", "Show who had which computer when (operators)."),
    Verb("audit", "vclab.cli.audit:audit", "Show what people asked for and how it came out (operators)."),
    Verb("needs-help", "vclab.cli.needs_help:needs_help", "List what waits for an operator (operators)."),
    Verb("power", "vclab.cli.power:power_", "Switch a computer, or tell its power (operators)."),
    Verb("config-ssh", "vclab.cli.config_ssh:config_ssh", "Let plain ssh, scp and editors reach your reservations."),
    Verb("ssh-proxy", "vclab.cli.ssh_proxy:ssh_proxy", "Open a connection for OpenSSH.", hidden=True),
    Verb("resolve", "vclab.cli.resolve:resolve", "Let a load that needs help go on (operators)."),
)

NOUNS = (
    Verb("user", "vclab.cli.user:app", "The people who may reserve."),
    Verb("image", "vclab.cli.image_revisions:app", "The images that people reserve."),
    Verb("repository", "vclab.cli.repository:app", "Folders that keep images' bytes."),
    Verb("computer", "vclab.cli.computer_import:app", "The computers that people get."),
    Verb("endpoint", "vclab.cli.endpoint:app", "What provisions: vCenters, groups of lab machines."),
    Verb("host", "vclab.cli.host:app", "Hosts that are out of service."),
    Verb("group", "vclab.cli.group:app", "Groups of people, images and computers."),
    Verb("grant", "vclab.cli.grant:app", "Who has which role over what."),
    Verb("access", "vclab.cli.access:app", "Who may do what, and why."),
    Verb("token", "vclab.cli.token:app", "Tokens for programs."),
    Verb("context", "vclab.cli.contexts:app", "The servers that vclab talks to."),
)
