"""A secret store of the tests' own, with the keys that an installation makes by ``vclab secrets rotate``."""

from pathlib import Path

from vclab.secrets.references import API, site_reader
from vclab.secrets.store import SecretStore


def secret_store(folder: Path, site: str = "default") -> SecretStore:
    """In that folder; its keys lie beside it, where the settings look for them."""
    store = SecretStore(folder, folder.parent / "keys", site)
    store.keys.make_missing((site_reader(site), API))
    return store
