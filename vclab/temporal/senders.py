"""Who sent a signal: what the server itself wrote into the signal's event.

A server with an authorizer (``deploy/temporal/authorizer.go``; Temporal's own from 1.32 on, where
``frontend.enablePrincipalPropagation`` is set) writes a *principal* there, which no client can choose. What clients can
choose, an event's identity and headers, is never asked.
"""

from temporalio.client import Client

from vclab.model.intents import Sender


async def sender(client: Client, workflow: str, run: str, signal: str, number: int) -> Sender | None:
    """Who sent the signal of this name that came as the ``number``-th (from 1) in a run.

    None when the server does not tell who its callers are. Raises the SDK's ``RPCError``.
    """
    seen = 0
    async for event in client.get_workflow_handle(workflow, run_id=run).fetch_history_events():
        if event.workflow_execution_signaled_event_attributes.signal_name != signal:
            continue
        seen += 1
        if seen == number:
            return Sender(event.principal.name, event.principal.type) if event.principal.name else None
    return None
