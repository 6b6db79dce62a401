"""The local verbs; found by the command line through the entry point group ``vclab.verbs``."""

from vclab.cli.verbs import Verb

VERBS = (
    Verb("doctor", "vclab.local.doctor:doctor", "Check the installation and say what to do."),
    Verb("store", "vclab.local.store:app", "The database."),
    Verb("emergency", "vclab.local.emergency:emergency", "Make a one-time code for when nobody can sign in."),
    Verb("secrets", "vclab.local.secrets:app", "The keys to which passwords are sealed."),
)
