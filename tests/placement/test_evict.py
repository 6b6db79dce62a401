"""Spares make way: as few as needed, where the machine then goes."""

from datetime import UTC, datetime, timedelta

from vclab.model.inventory import Amounts, DatastoreFacts, HostFacts
from vclab.model.reservations import Refusal
from vclab.placement import Choice, DatastoreRoom, EndpointRoom, HostRoom, Need, SpareRoom, choose_evicting

NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)
SOON = NOW + timedelta(minutes=30)


def need(memory_mb: int, disk_gb: int = 4) -> Need:
    return Need(Amounts(1, memory_mb, disk_gb), NOW, NOW + timedelta(hours=1))


def room(disk_gb: int = 100, hosts: int = 2, memory_mb: int = 8192, name: str = "vc") -> EndpointRoom:
    facts = (HostFacts(f"esx{n + 1}", 16, memory_mb, datastores=("ds1",)) for n in range(hosts))
    return EndpointRoom(name, tuple(map(HostRoom, facts)), (DatastoreRoom(DatastoreFacts("ds1", disk_gb, disk_gb)),))


def spare(name: str, host: str, memory_mb: int, disk_gb: int = 4, endpoint: str = "vc") -> SpareRoom:
    return SpareRoom(name, endpoint, host, "ds1", Amounts(1, memory_mb, disk_gb), SOON)


def evicted(outcome: tuple[Choice, tuple[SpareRoom, ...]] | Refusal) -> tuple[str, list[str]]:
    assert not isinstance(outcome, Refusal), outcome
    return outcome[0].host, [victim.computer for victim in outcome[1]]


def test_as_few_as_needed() -> None:
    spares = [spare("a", "esx1", 2048), spare("b", "esx1", 2048), spare("c", "esx1", 4096), spare("d", "esx2", 8192)]
    assert evicted(choose_evicting(need(8192), [room()], spares, True)) == ("esx2", ["d"])
    assert evicted(choose_evicting(need(4096), [room()], spares[:3], True)) == ("esx2", [])
    full = [spare("d", "esx2", 5000), spare("e", "esx2", 3000), *spares[:3]]
    assert evicted(choose_evicting(need(3000), [room()], full, True)) == ("esx1", ["c"])


def test_a_small_one_suffices_after_all() -> None:
    """The large one is tried first; when others must go too and suffice alone, it stays."""
    spares = [spare("a", "esx1", 6000, 10), spare("b", "esx1", 1000, 90)]
    assert evicted(choose_evicting(need(1500, 50), [room(hosts=1)], spares, True)) == ("esx1", ["b"])
    assert evicted(choose_evicting(need(2500, 50), [room(hosts=1)], spares, True)) == ("esx1", ["a", "b"])


def test_disk_of_a_spare_on_another_host() -> None:
    spares = [spare("a", "esx2", 1024, 99)]
    assert evicted(choose_evicting(need(1024), [room()], spares, True))[1] == ["a"]


def test_without_an_identity_one_must_go() -> None:
    """And only where the room is, for the load that follows removes it."""
    spares = [spare("a", "esx1", 1024, endpoint="other")]
    assert evicted(choose_evicting(need(1024), [room(), room(name="other")], spares, False))[1] == ["a"]
    outcome = choose_evicting(need(1024), [room()], spares, False)
    assert isinstance(outcome, Refusal) and "identity" in outcome.text()


def test_refused_when_it_does_not_suffice() -> None:
    outcome = choose_evicting(need(9000), [room()], [spare("a", "esx1", 8192)], True)
    assert isinstance(outcome, Refusal)
    assert "needs 9000 MiB memory, has 8192 free" in outcome.text()
