"""What the receivers in Python do with a POST: verify the signature (https://www.standardwebhooks.com), then take each event once."""

import base64
import hashlib
import hmac
import json
import os
import time


def is_genuine(headers, body: bytes, secret: str) -> bool:
    """headers: a mapping with lower-case names. body: the bytes exactly as they were received."""
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        return False  # too old: it may be a replay
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, each.encode()) for each in given)


seen = set()  # A real receiver uses a table with a unique key, so that a restart does not forget.


def receive(headers, body: bytes, work) -> int:
    """Returns the status for a POST. Calls `work` for each event once."""
    if not is_genuine(headers, body, os.environ["SECRET"]):
        return 401
    event = json.loads(body)
    key = (headers["webhook-id"], event["data"]["client_id"])
    if key not in seen:
        work(event)
    seen.add(key)
    return 204
