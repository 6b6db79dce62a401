"""What reservations can be searched by in the Temporal UI. Plain text on the server: no secret, ever."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey

STATE = SearchAttributeKey.for_keyword("LabState")
USER = SearchAttributeKey.for_keyword("LabUser")
IMAGE = SearchAttributeKey.for_keyword("LabImage")
COMPUTER = SearchAttributeKey.for_keyword("LabComputer")
HOST = SearchAttributeKey.for_keyword("LabHost")
END = SearchAttributeKey.for_datetime("LabEnd")

KEYS = (STATE, USER, IMAGE, COMPUTER, HOST, END)


async def register(client: Client) -> None:
    """Make them known to the namespace; harmless when they are. Without them a workflow's first upsert would hang."""
    service = client.operator_service
    known = await service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    wanted = {
        key.name: IndexedValueType.ValueType(key.indexed_value_type)
        for key in KEYS
        if key.name not in known.custom_attributes
    }
    if wanted:
        await service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
        )
