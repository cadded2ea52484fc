"""Who may post: HTTP Basic with the key and secret that the receiver was started with."""

import base64
import binascii
import hashlib
import hmac

from workbench.export.sandbox.answers import Answer, refusal


class Gate:
    """One key and its secret; neither appears in a repr or a message."""

    def __init__(self, key: str, secret: str) -> None:
        """Keep the pair.

        Raises:
            ValueError: The key or the secret is empty, or the key has a colon.
        """
        if not key or not secret or ":" in key:
            message = "the receiver needs a key without a colon, and a secret"
            raise ValueError(message)
        self._key = key.encode()
        self._secret = secret.encode()

    @property
    def owner(self) -> str:
        """Give a digest of the key, under which request ids are remembered."""
        return hashlib.sha256(b"sandbox" + self._key).hexdigest()[:32]

    def refusal(self, authorization: str | None) -> Answer | None:
        """Give 401 for a header that is absent or unreadable, 403 for another pair, else None."""
        scheme, _, encoded = (authorization or "").partition(" ")
        try:
            pair = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            pair = b""
        key, colon, secret = pair.partition(b":")
        if scheme.lower() != "basic" or not colon:
            realm = 'Basic realm="sandbox"'
            return refusal(401, "no readable Authorization header", WWW_Authenticate=realm)
        same_key = hmac.compare_digest(key, self._key)
        same_secret = hmac.compare_digest(secret, self._secret)
        return None if same_key & same_secret else refusal(403, "unknown key or secret")
