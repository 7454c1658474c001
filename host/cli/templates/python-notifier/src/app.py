"""A notifier: posts {"text": "..."} to the address of the Provider."""

import json

from wit_world import exports
from wit_world.exports import notify


class Notify(exports.Notify):
    def start(self, events, config, state):
        text = "\n".join(line(event) for event in events)
        request = notify.Request(
            id=0,
            method="POST",
            url=[notify.Part_Secret("address")],
            headers=[notify.Header("Content-Type", [notify.Part_Text("application/json")])],
            body=json.dumps({"text": text}, separators=(",", ":"), ensure_ascii=False).encode(),
            signing=notify.Signing_None_(),
        )
        return notify.Outcome_Next(notify.Step([request], b""))

    def resume(self, responses, config, state):
        for response in responses:
            if response.status == 429:
                return notify.Outcome_Retry(None)
            if not 200 <= response.status <= 299:
                return notify.Outcome_Failed(f"the service answered with status {response.status}")
        return notify.Outcome_Done(b"")


def line(event):
    about = event.object
    return f"{about.kind} {about.namespace or '-'}/{about.name}: {event.reason}: {event.message}"
