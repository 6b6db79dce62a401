"""What acts on the outside world, by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from vclab.guests.base import Guest
from vclab.model.plans import Target, Whereabouts
from vclab.power.control import Power
from vclab.provisioning.base import ProvisioningModule, known_module
from vclab.secrets.store import SecretStore


@dataclass(frozen=True)
class Drivers:
    """The drivers of a worker."""

    modules: Mapping[str, ProvisioningModule]
    guests: Mapping[str, Guest]
    secrets: SecretStore | None = None  #: where they keep what they make up for a tenure
    power: Power | None = None  #: switches computers that have a BMC, or can be woken

    def whereabouts(self, target: Target) -> Whereabouts:
        """What its endpoint knows of a computer that does not answer. Blocks. Raises as the module does."""
        return known_module(self.modules, target.module).whereabouts(target)

    def close(self) -> None:
        """Leave all endpoints. Blocks."""
        for module in self.modules.values():
            module.close()
