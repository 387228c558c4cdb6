# pip install fastapi uvicorn; SECRET=whsec_… PORT=9000 python3 fastapi_app.py
import os

import uvicorn
from fastapi import FastAPI, Request, Response

from verify import receive

app = FastAPI()


def work(event):
    """Your work goes here: make it quick, or put the event into a queue of yours."""
    print(event["type"], event["data"].get("task_id"), flush=True)


@app.post("/hook")
async def hook(request: Request):
    return Response(status_code=receive(request.headers, await request.body(), work))


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "9000")))
