"""Keeps what endpoints said, for the records that place by it."""

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from vclab.model.errors import Unreachable
from vclab.model.inventory import Answered, Inventory
from vclab.store import inventories
from vclab.store.engine import Store


class StoreInventories:
    """In the store. Both methods block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def epochs(self) -> Mapping[str, int]:
        """Those of all endpoints. To be read before the endpoints are."""
        with self._store.read() as session:
            return inventories.epochs(session)

    def keep(self, said: Iterable[Inventory], epochs: Mapping[str, int]) -> tuple[Answered, ...]:
        """Keep each answer, and say where it is.

        Raises ``Unreachable`` when an endpoint was changed while it was asked: all are to be asked anew.
        """
        said = tuple(said)
        answers = tuple(Answered(one.endpoint, epochs.get(one.endpoint, 0), one.error) for one in said)

        def keep(session: Session) -> list[str]:
            good = [one for one in said if not one.error]
            return [one.endpoint for one in good if not inventories.keep(session, one, epochs.get(one.endpoint, 0))]

        if any(not one.error for one in said) and (changed := self._store.run(keep, durable=False)):
            raise Unreachable(f"{', '.join(changed)}: changed while it was asked")
        return answers
