"""Asking endpoints for an administrator. Who asks waits for the activity itself: no workflow is needed to ask once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from pydantic import TypeAdapter
from temporalio import activity

from activities.errors import failures
from vclab.model.catalog import Endpoint
from vclab.model.enquiries import AskEndpoint
from vclab.model.errors import Refused
from vclab.provisioning import registry
from vclab.provisioning.enquiry import Answer


class EnquiryActivities:
    """Asks as an installation, with the password that is kept for an endpoint."""

    def __init__(self, password: Callable[[Endpoint], str], installation: str, executor: Executor) -> None:
        self._password = password
        self._installation = installation
        self._executor = executor

    @activity.defn
    async def ask_endpoint(self, asked: AskEndpoint) -> str:
        """What the endpoint reports, as JSON of ``Answer``. Raises ``Refused``, ``Unreachable``."""
        with failures():
            answer = await asyncio.get_running_loop().run_in_executor(self._executor, self._ask, asked)
        return TypeAdapter(Answer).dump_json(answer).decode()

    def _ask(self, asked: AskEndpoint) -> Answer:
        kind = registry.kind(asked.endpoint.module)
        if kind is None or kind.enquiry is None:
            raise Refused(f"{asked.endpoint.name} has nothing to log in to")
        password = self._password(asked.endpoint)
        return kind.enquiry().ask(asked.endpoint, password, self._installation, asked.images)
