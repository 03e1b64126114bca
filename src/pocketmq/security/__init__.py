"""Who may do what: credentials and the signatures made with them. Pure decisions, no I/O."""

from __future__ import annotations

from pocketmq.security.credentials import Credentials
from pocketmq.security.signatures import sign, signature_of, verify

__all__ = ["Credentials", "sign", "signature_of", "verify"]
