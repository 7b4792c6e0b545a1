"""Answers with what was asked, after ?seconds=."""

import os
import time

import functions_framework


@functions_framework.http
def answer(request):
    time.sleep(float(request.args.get("seconds", 0)))
    body = {"method": request.method, "path": request.path, "port": os.environ["PORT"]}
    return body | {"body": request.get_data(as_text=True)}, int(request.args.get("status", 200))
