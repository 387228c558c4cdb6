# pip install flask; SECRET=whsec_… PORT=9000 python3 flask_app.py
import os

from flask import Flask, request

from verify import receive

app = Flask(__name__)


def work(event):
    """Your work goes here: make it quick, or put the event into a queue of yours."""
    print(event["type"], event["data"].get("task_id"), flush=True)


@app.post("/hook")
def hook():
    headers = {name.lower(): value for name, value in request.headers.items()}
    return "", receive(headers, request.get_data(), work)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "9000")))
