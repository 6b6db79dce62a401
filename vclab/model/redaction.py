"""Texts without what looks like a secret: a failure, a log and a history are kept for long, and read by many.

What an endpoint, a library or a machine says is not ours, so nothing is known of its form: rather too much is left out
than too little.
"""

import re

HIDDEN = "***"

_KEY = r"\w*(?:passw(?:or)?ds?|passphrase|pwd|secret|token|api[_-]?key|credentials?)"
_VALUE = r"""(?:"[^"]*"|'[^']*')?\S*"""
_NO_VALUE = (
    r"(?!(?:not|no|in|on|of|kept|only|never|too|wrong|incorrect|refused|missing|required|empty|unknown|expired|invalid|"
    r"stored|set|asked|needed|read|made|recorded|the|an?|for|from|that|as|one|different|correct|accepted|there)\b)"
)
_SECRETS = (
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"), HIDDEN),
    (
        re.compile(r"(?im)\b((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]*token)\b([\"']?\s*[:=]).*$"),
        rf"\1\2 {HIDDEN}",
    ),
    (re.compile(r"(?i)\b(basic|bearer)\s+[\w+/=.~-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(\w+://[^/\s:@]*):\S*@"), rf"\1:{HIDDEN}@"),
    (re.compile(rf"(?i)<({_KEY})>[^<]*"), rf"<\1>{HIDDEN}"),
    (re.compile(rf"(?i)\b({_KEY})\b([\"']?\s*[=:]\s*)" + _VALUE), rf"\1\2{HIDDEN}"),
    (re.compile(rf"(?i)\b({_KEY})(\s+(?:is|was)\s+){_NO_VALUE}" + _VALUE), rf"\1\2{HIDDEN}"),
)


def redacted(text: str) -> str:
    """The text without what looks like a secret: in URLs, headers, XML, "key=value", and "password is x"."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
