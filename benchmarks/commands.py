"""The verb ``bench``; found by the command line through the entry point group ``vclab.commands``."""

from dataclasses import asdict
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
At = Annotated[list[int] | None, typer.Option("--at", metavar="N", min=1, help="So many at once.", show_default=False)]
Rounds = Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="Each figure is the median of so many.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    bench = typer.Typer(no_args_is_help=True, help="Measure what vclab costs, on this machine.")
    bench.command("lifecycle")(lifecycle)
    bench.command("placement")(placement)
    bench.command("vsphere")(vsphere)
    bench.command("looks")(looks)
    bench.command("images")(images)
    bench.command("capture")(capture)
    bench.command("metal")(metal)
    bench.command("api")(api)
    app.add_typer(bench, name="bench")


def lifecycle(
    at: At = None,
    rounds: Rounds = 5,
    waiting: Annotated[int, typer.Option("--waiting", metavar="N", min=3, help="So many wait.")] = 600,
    json: Json = False,
) -> None:
    """Measure whole lives on the fake module, beside a bare workflow with as many activities.

    It starts a Temporal server and a worker of its own, and needs neither root nor a lab.
    At 1, 10 and 50 at once it takes about seven minutes.

    \b
    Examples:
      vclab bench lifecycle --json
      vclab bench lifecycle --at 1 --at 10 --rounds 3
      vclab bench lifecycle --at 50 --rounds 1 --waiting 2000
    """
    import asyncio

    from benchmarks import lifecycle as bench
    from vclab.cli.output import note, say_json, table

    measured = asyncio.run(bench.measure(at or [1, 10, 50], rounds, waiting))
    if json:
        say_json([asdict(one.row) for one in measured])
        return
    headings: tuple[str, ...] = ("at once", "ready p50", "p95", "last", "bare p50", "last", "ratio", "of last")
    headings += ("in use last", "CPU/life", "KiB/waiting", "worker's", "bare", "events")
    rows = [
        (
            str(one.row.concurrency),
            *(f"{s:.2f} s" for s in (one.row.ready_p50_s, one.row.ready_p95_s, one.row.ready_last_s)),
            *(f"{s:.2f} s" for s in (one.row.bare_p50_s, one.bare_last_s)),
            *(f"{ratio:.2f}" for ratio in (one.row.ratio_to_bare, one.last_to_bare)),
            *(f"{s:.2f} s" for s in (one.row.in_use_last_s, one.row.cpu_s_per_life)),
            *(f"{n / 1024:.0f}" for n in (one.row.bytes_per_waiting, one.row.worker_bytes_per_waiting)),
            f"{one.row.bare_bytes_per_waiting / 1024:.0f}",
            str(one.row.events_per_life),
        )
        for one in measured
    ]
    table(headings, rows, right=headings)
    waits = measured[0].waits
    size = waits.size
    note(f"bare: {size.activities} activities and {size.local_activities} local ones that do nothing")
    idle, full = (" and ".join(f"{n / 2**20:.0f}" for n in both) for both in (waits.slope.idle, waits.slope.full))
    note(f"worker and server: {idle} MiB idle, {full} MiB while {waits.waiting} wait")


def placement(
    hosts: Annotated[int, typer.Option("--hosts", metavar="N", min=10)] = 1000,
    machines: Annotated[int, typer.Option("--machines", metavar="N", min=10, help="Held now.")] = 10_000,
    claims: Annotated[int, typer.Option("--claims", metavar="N", min=20, help="Of now and of later.")] = 50_000,
    placements: Annotated[int, typer.Option("--placements", metavar="N", min=1, help="So many are measured.")] = 200,
    json: Json = False,
) -> None:
    """Measure what finding a place costs in a large lab, and how that grows with its size.

    \b
    Examples:
      vclab bench placement --json
      vclab bench placement --hosts 100 --machines 1000 --claims 5000
    """
    from benchmarks import placement as bench
    from vclab.cli.output import say_json, table

    measured = bench.measure(hosts, machines, claims, placements)
    if json:
        say_json(asdict(measured))
        return
    headings = ("hosts", "machines", "claims", "decision p50", "p99", "transaction p50", "p99")
    rows = [
        (
            *(f"{n:,}" for n in (one.hosts, one.machines, one.claims)),
            *(f"{ms:.1f} ms" for ms in (one.p50_ms, one.p99_ms, one.transaction_p50_ms, one.transaction_p99_ms)),
        )
        for one in measured.growth
    ]
    table(headings, rows, right=headings)


def vsphere(
    at: At = None,
    loads: Annotated[int, typer.Option("--loads", metavar="N", min=1, help="So many in each round.")] = 32,
    json: Json = False,
) -> None:
    """Measure how many calls a load makes to a vCenter, and loads a minute, on the lab's vCenter simulator.

    \b
    Examples:
      vclab bench vsphere --json
      vclab bench vsphere --at 16 --loads 64
    """
    from benchmarks import vsphere as bench
    from vclab.cli.output import note, say_json, table

    measured = bench.measure(tuple(at or (1, 16)), loads)
    if json:
        say_json(asdict(measured))
        return
    headings = ("at once", "loads/min", "bare", "times as long")
    rows = [
        (str(s.concurrency), f"{s.loads_per_minute:.0f}", f"{s.bare_loads_per_minute:.0f}", f"{s.ratio_to_bare:.2f}")
        for s in measured.speed
    ]
    table(headings, rows, right=headings)
    note(f"{measured.calls_per_load} calls a load: {bench.shown(measured.calls)}")
    note(f"{measured.calls_per_removal} calls to remove it")


def images(
    loads: Annotated[int, typer.Option("--loads", metavar="N", min=1, max=30, help="So many at once.")] = 30,
    rounds: Rounds = 5,
    json: Json = False,
) -> None:
    """Measure what linked disks save, with real machines in a lab of its own, and what a copy with its hash costs.

    It needs root, and about four minutes.

    \b
    Examples:
      vclab bench images --json
      vclab bench images --loads 4 --rounds 3
    """
    from benchmarks import images as bench
    from vclab.cli.output import fields, say_json

    found = bench.measure(loads, rounds)
    if json:
        say_json(found.document())
        return
    fields(
        [
            ("Copies", f"{found.master_copies_for_loads} for {found.loads} loads on {found.hosts} hosts"),
            ("Each load", f"{found.bytes_per_load >> 10} KiB, {found.blocks_allocated_per_load:.2%} of the image's"),
            ("All ready", f"{found.ready_seconds:.0f} s after the first request"),
            ("A copy", f"{found.copy_seconds:.2f} s, cp + sha256sum {found.bare_seconds:.2f} s"),
            ("Calls", f"{found.calls_per_load} a load"),
        ]
    )


def capture(
    mib: Annotated[int, typer.Option("--mib", metavar="N", min=0, max=4096, help="Written in the machine.")] = 256,
    json: Json = False,
) -> None:
    """Measure what a capture costs, of a real machine in a lab of its own: seconds by step, and bytes.

    It needs root, and about five minutes.

    \b
    Examples:
      vclab bench capture --json
      vclab bench capture --mib 1024
    """
    from benchmarks import capture as bench
    from vclab.cli.output import fields, say_json, table

    found = bench.measure(mib)
    if json:
        say_json(found.document())
        return
    table(("step", "took"), [(step.name, f"{step.seconds:.1f} s") for step in found.steps], right=("took",))
    fields(
        [
            ("The disk", f"{found.disk_bytes >> 20} MiB, {found.mib_written} of them written by its user"),
            ("Its user's again", f"after {found.seconds_until_back:.0f} s"),
            ("An image", f"after {found.seconds:.0f} s"),
            ("Copied", f"{found.bytes_copied >> 20} MiB, {found.bytes_copied_to_disk:.2f} of the disk's"),
            ("At once", f"{found.bytes_at_once >> 20} MiB"),
            ("Read back", f"{found.bytes_read_back >> 20} MiB"),
        ]
    )


def metal(
    part: Annotated[
        list[str] | None,
        typer.Option("--part", metavar="PART", help="Only this: stream, bmcs or wave.", show_default=False),
    ] = None,
    mib: Annotated[int, typer.Option("--mib", metavar="N", min=16, max=65536, help="Of files in the image.")] = 1024,
    rounds: Rounds = 5,
    bmcs: Annotated[int, typer.Option("--bmcs", metavar="N", min=2, max=100, help="So many in all.")] = 40,
    dead: Annotated[int, typer.Option("--dead", metavar="N", min=1, help="So many of them are dead.")] = 5,
    pairs: Annotated[
        int, typer.Option("--pairs", metavar="N", min=1, help="Each is switched on and off so often.")
    ] = 5,
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", min=1, max=50, help="So many want an image.")] = 8,
    at_once: Annotated[int, typer.Option("--at-once", metavar="N", min=1, help="So many read at one time.")] = 2,
    wave_mib: Annotated[
        int, typer.Option("--wave-mib", metavar="N", min=16, max=65536, help="Of files in the image of these nodes.")
    ] = 256,
    json: Json = False,
) -> None:
    """Measure what bare metal costs: streaming a disk, operations on BMCs, and a wave of nodes that want one image.

    A stream is measured beside the same blocks through a bare pipe of ssh, zstd and dd, and reading back by itself;
    BMCs are simulated, alone and beside dead ones; the wave tells what is read from the repository's disk.
    It needs no root, Debian's packages openipmi and openssh-server, ten times the room of the files in your home
    folder, and about fifteen minutes.

    \b
    Examples:
      vclab bench metal --json
      vclab bench metal --part stream --mib 256 --rounds 3
      vclab bench metal --part bmcs --bmcs 10 --dead 2 --pairs 1 --rounds 1
    """
    from benchmarks import metal as bench
    from vclab.cli.output import say_json, table

    if unknown := set(part or ()) - set(bench.Part):
        raise typer.BadParameter(f"there is no {min(unknown)}", param_hint="--part")
    if dead >= bmcs:
        raise typer.BadParameter("some must live", param_hint="--dead")
    size = bench.Size(mib, rounds, bmcs, dead, pairs, nodes, at_once, wave_mib)
    found = bench.measure([one for one in bench.Part if one in (part or bench.Part)], size)
    if json:
        say_json(found.document())
        return
    goals = {goal.figure: (str(goal), "yes" if met else "NO") for goal, met in found.goals}
    rows = [(name, f"{value:,}", *goals.get(name, ("", ""))) for name, value in found.figures.items()]
    table(("figure", "measured", "goal", "met"), rows, right=("measured",))


def api(
    reservations: Annotated[
        int, typer.Option("--reservations", metavar="N", min=100, help="So many are in the store.")
    ] = 10_000,
    lists: Annotated[int, typer.Option("--lists", metavar="N", min=20, help="So many are asked for.")] = 400,
    starts: Annotated[int, typer.Option("--starts", metavar="N", min=1, help="Runs of `vclab list`.")] = 15,
    at_once: Annotated[int, typer.Option("--at-once", metavar="N", min=1, help="So many reserve at one time.")] = 200,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="So often.")] = 2,
    streams: Annotated[int, typer.Option("--streams", metavar="N", min=1, help="So many listen to events.")] = 500,
    json: Json = False,
) -> None:
    """Measure the API: lists, a run of the command line, listeners, and many who reserve at once, beside the service
    layer.

    It starts a Temporal server, a worker and an API server of its own, and needs neither root nor a lab.

    \b
    Examples:
      vclab bench api --json
      vclab bench api --reservations 1000 --lists 50 --starts 3 --at-once 20 --rounds 1 --streams 50
    """
    from benchmarks import api as bench
    from vclab.cli.output import fields, say_json

    found = bench.measure(reservations, lists, starts, at_once, rounds, streams)
    if json:
        say_json(asdict(found))
        return
    fields(
        [
            ("A list", f"{found.list_p50_ms:.1f} ms (p95 {found.list_p95_ms:.1f}), {reservations} reservations there"),
            ("", f"processor {found.list_cpu_ms:.1f} ms"),
            ("Of everybody", f"p95 {found.list_everyone_p95_ms:.1f} ms for the first part"),
            ("", f"processor {found.list_everyone_cpu_ms:.1f} ms"),
            ("vclab list", f"{found.cli_cold_start_ms:.0f} ms (processor {found.cli_cold_start_cpu_ms:.0f})"),
            ("Python alone", f"{found.python_start_ms:.0f} ms"),
            ("Events", f"{found.streams} listeners, the last has heard after {found.stream_worst_ms:.0f} ms"),
            ("Reserve", f"{found.reserve_p50_ms:.0f} ms (p95 {found.reserve_p95_ms:.0f}), {at_once} at once"),
            ("", f"processor {found.reserve_cpu_ms:.1f} ms"),
            ("Without HTTP", f"{found.service_reserve_p50_ms:.0f} ms (p95 {found.service_reserve_p95_ms:.0f})"),
        ]
    )


def looks(
    in_use: Annotated[int, typer.Option("--in-use", metavar="N", min=0, help="So many are in use.")] = 10_000,
    every: Annotated[float, typer.Option("--every", metavar="S", min=1, help="Seconds between two looks.")] = 300.0,
    seconds: Annotated[float, typer.Option("--seconds", metavar="S", min=1, help="Measured for so long.")] = 660.0,
    silent: Annotated[int, typer.Option("--silent", metavar="N", min=0, help="So many do not answer.")] = 1000,
    placements: Annotated[int, typer.Option("--placements", metavar="N", min=1, help="Beside them.")] = 40,
    retried: Annotated[bool, typer.Option("--retried", help="Also with looks that the server keeps.")] = False,
    json: Json = False,
) -> None:
    """Measure looks at many pretended computers: how late they are, and how much they delay placements.

    It starts a Temporal server and a worker of its own, and needs neither root nor a lab.

    \b
    Examples:
      vclab bench looks --json
      vclab bench looks --in-use 1000 --every 30 --seconds 60 --silent 100
      vclab bench looks --retried
    """
    import asyncio

    from benchmarks import looks as bench
    from vclab.cli.output import note, say_json, table

    ways = (True, False) if retried else (True,)
    used = [asyncio.run(bench.in_use(kept, in_use, every, seconds)) for kept in ways] if in_use else []
    placed = [asyncio.run(bench.placing(kept, silent, placements)) for kept in ways] if silent else []
    if json:
        say_json({"in_use": [asdict(one) for one in used], "placing": [asdict(one) for one in placed]})
        return
    headings = ("looks are", "in use", "looks", "late p50", "p99", "requests/s", "CPU worker", "server", "MiB worker")
    rows = [
        (
            "kept" if one.kept else "retried",
            *(f"{n:,}" for n in (one.computers, one.looks)),
            *(f"{s:.2f} s" for s in (one.late_p50_s, one.late_p99_s)),
            f"{one.requests_per_s:.0f}",
            *(f"{s:.0f} s" for s in (one.worker_cpu_s, one.server_cpu_s)),
            f"{one.worker_mib[1]:.0f} to {one.worker_mib[-1]:.0f}",
        )
        for one in used
    ]
    table(headings, rows, right=headings[1:])
    for one in placed:
        way = "kept" if one.kept else "retried"
        note(f"a placement takes {one.usual_s:.2f} s, and {one.beside_s:.2f} s beside {one.silent} {way} silent ones")
