"""What a message must not carry outside: passwords inside addresses, and the values of variables that are secrets by name."""

import os
import re

_CREDENTIALS = re.compile(r"(?<=://)[^/\s'\"]*@")
_SECRET_NAMES = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|AUTH_STRING|API_KEY|ACCESS_KEY|ALERT_URLS|CONNECTION_URL")
_SHORTEST = 6  # characters; a shorter value may be a word that any message has


def hidden(text: str) -> str:
    """`text` with *** in place of each secret.

    >>> hidden("postgresql://bob:hunter22@db/shop refused")
    'postgresql://***@db/shop refused'
    """
    secrets = [part for name, value in os.environ.items() if _SECRET_NAMES.search(name) for part in value.split()]
    for secret in sorted(secrets, key=len, reverse=True):  # the longest first: one may be a part of another
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return _CREDENTIALS.sub("***@", text)
