#!/usr/bin/env python3
"""A worker in Python, with nothing but its standard library.

    WORKER_TOKEN=secret python3 examples/worker.py http://localhost:8011

It claims tasks of type `external`, works on each and sends its result. A heartbeat renews the lease meanwhile: a task without a report
for the length of its lease goes to another worker.
"""

import json
import os
import sys
import threading
import urllib.error
import urllib.request

URL = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8011"
TOKEN = os.environ["WORKER_TOKEN"]
HEARTBEAT_SECONDS = 20
# Longer than a claim waits.
TIMEOUT_SECONDS = 60


def post(path, body):
    """The answer, or None when there was none (204). Raises HTTPError for a refusal, whose body says why."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        text = response.read()
        return json.loads(text) if text else None


def work(data, progress):
    """Your work goes here. It counts words. `progress(done, total, message)` reports how far it is, and renews the lease too."""
    if not isinstance(data, dict) or "text" not in data:
        raise ValueError('this worker wants {"text": "…"} for an input')
    words = data["text"].split()
    progress(len(words), len(words), "counted")
    return {"words": len(words)}


def keep_lease(task, done, lost):
    while not done.wait(HEARTBEAT_SECONDS):
        try:
            post(f"/tasks/{task['id']}/heartbeat", {"lease_token": task["lease_token"]})
        except urllib.error.HTTPError as error:
            if error.code == 409:  # The lease is lost or the task was cancelled: no result is wanted.
                lost.set()
                return
        except OSError:
            pass  # The server restarts. The next heartbeat comes before the lease expires.


def do(task):
    done, lost = threading.Event(), threading.Event()

    def progress(count, total=None, message=None):
        report = {"lease_token": task["lease_token"], "done": count, "total": total, "message": message}
        post(f"/tasks/{task['id']}/progress", report)

    threading.Thread(target=keep_lease, args=(task, done, lost), daemon=True).start()
    try:
        report = {"path": "complete", "body": {"result": work(task["input"], progress)}}
    except Exception as error:  # pylint: disable=broad-except
        report = {"path": "fail", "body": {"error": str(error) or type(error).__name__}}
    finally:
        done.set()
    if lost.is_set():
        return
    # May be repeated: the same report on the same lease is answered the same.
    post(f"/tasks/{task['id']}/{report['path']}", {"lease_token": task["lease_token"], **report["body"]})
    print(f"{task['task_id']}: {report['path']}", flush=True)


while True:
    try:
        claimed = post("/tasks/claim", {"types": ["external"]})
        if claimed is not None:
            do(claimed)
    except urllib.error.HTTPError as refused:
        print(f"{refused.code} {refused.read().decode()}", file=sys.stderr)
        if refused.code == 401:
            sys.exit(1)
        threading.Event().wait(1)
    except OSError as unreachable:
        print(unreachable, file=sys.stderr)
        threading.Event().wait(1)
