"""What `scripts/schemathesis` tells its tool: how a mail is sent, and the names of things that are there, so that not every call ends with a 404."""

import json
import os
import random
import urllib.request

import schemathesis

URL = os.environ["HELPDESK_URL"]
TOKEN = os.environ["HELPDESK_ADMIN_TOKEN"]


def get(path):
    request = urllib.request.Request(URL + path, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


tickets = [ticket["id"] for ticket in get("/api/tickets")["tickets"]]
comments = {ticket: [comment["id"] for comment in get(f"/api/tickets/{ticket}/comments")["comments"]] for ticket in tickets}
records = [record["id"] for record in get("/api/unprocessed")["unprocessed"]]
assert tickets and records, "the samples are not there"


@schemathesis.serializer("message/rfc822")
def mail(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Three of four calls are for something that is there."""
    if not path_parameters or random.random() < 0.25:
        return path_parameters
    known = dict(path_parameters)
    if "id" in known:
        known["id"] = random.choice(tickets)
    if "other" in known:
        known["other"] = random.choice(tickets)
    if "comment" in known:
        # In a sequence of calls the ticket may be fixed already.
        known["comment"] = random.choice(comments.get(known.get("id")) or comments[random.choice(tickets)])
    if "number" in known:
        known["number"] = "1"
    if "record" in known:
        known["record"] = random.choice(records)
    if "tenant" in known:
        known["tenant"] = "fabrikam"
    return known
