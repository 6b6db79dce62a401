"""The toy module: its one step three times (from nothing, again, cut off at each act), and what is not ours."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.provisioning.bench import FakeContext
from tests.targets import target_of
from vclab.model.catalog import Computer, ComputerKind, Endpoint
from vclab.model.errors import Fenced, NotOurs, Refused, StepFailed, Unreachable
from vclab.model.plans import Facts, NodeStatus, StepInput, Target
from vclab.model.states import ComputerState
from vclab.provisioning.toy import EndpointData, ImageData, TextFile

TEXT = "Read me — 🧪\nand\tagain\n"


class Bench:
    """A folder, two names in it, and the module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = EndpointData(folder=str(folder)).encoded()
        self.module = TextFile("vclab", self._endpoint, self._group)
        self.target = target_of(
            module="text-file",
            guest="",
            computer="note1",
            endpoint="texts",
            host="note1",
            generation=3,
            image_data=ImageData(text=TEXT).encoded(),
            endpoint_data=self.data,
        )

    def _endpoint(self, name: str) -> Endpoint:
        return Endpoint(name, "text-file", "", "", "", "", module_data=self.data)

    def _group(self, endpoint: str) -> list[Computer]:
        return [Computer(name, ComputerKind.LAB, ComputerState.AVAILABLE, endpoint) for name in ("note1", "note2")]

    def load(self, target: Target | None = None, context: FakeContext | None = None) -> Facts:
        """The plan, once."""
        target, facts = target or self.target, Facts()
        for step in self.module.load_plan(target, NodeStatus()).steps:
            given = StepInput(step.name, step.title, target, facts)
            facts = facts.merged(self.module.steps()[step.name](context or FakeContext(), given))
        return facts

    def files(self) -> list[str]:
        return sorted(each.name for each in self.folder.iterdir())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "texts"
    folder.mkdir()
    return Bench(folder)


def test_a_text_is_handed_out_and_taken_back(bench: Bench) -> None:
    facts = bench.load()
    assert facts.handover == (bench.folder / "note1.txt").as_uri()
    assert (bench.folder / "note1.txt").read_bytes() == TEXT.encode()
    assert bench.module.whereabouts(bench.target).gone is False
    assert "generation 3" in bench.module.evidence(bench.target).endpoint[0]
    for _ in range(2):
        bench.module.remove(FakeContext(), bench.target)
    assert bench.files() == []
    assert bench.module.whereabouts(bench.target).gone


def test_again_writes_nothing(bench: Bench) -> None:
    first, context = bench.load(), FakeContext(allowed=0)
    before = (bench.folder / "note1.txt").stat()
    assert bench.load(context=context) == first
    assert (bench.folder / "note1.txt").stat() == before
    assert context.fences == 0


def test_cut_off_at_each_act_it_is_done_by_the_next_attempt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after each write and each rename; a reader sees the whole text or none."""
    replace_, sync = Path.replace, os.fsync
    for cut in range(1, 7):
        acts = [0]

        def act(real: Any, *arguments: Any, cut: int = cut, acts: list[int] = acts) -> Any:
            for moment in (0, 1):
                acts[0] += 1
                if acts[0] == cut:
                    raise KeyboardInterrupt
                if moment == 0:
                    done = real(*arguments)
            return done

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", lambda self, to, act=act: act(replace_, self, to))
            patch.setattr(os, "fsync", lambda number, act=act: act(sync, number))
            with pytest.raises(KeyboardInterrupt):
                bench.load()
        file = bench.folder / "note1.txt"
        assert not file.exists() or file.read_bytes() == TEXT.encode(), cut
        assert bench.load().handover
        assert file.read_bytes() == TEXT.encode()
        bench.module.remove(FakeContext(), bench.target)
        assert bench.files() == [], cut


def test_a_removal_that_was_cut_off_is_done_by_the_next_attempt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink
    for cut in range(5):
        left = [cut]
        bench.load()

        def act(self: Path, missing_ok: bool = False, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            unlink(self, missing_ok)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", act)
            if cut < 4:
                with pytest.raises(KeyboardInterrupt):
                    bench.module.remove(FakeContext(), bench.target)
        bench.module.remove(FakeContext(), bench.target)
        assert bench.files() == [], cut


def test_what_was_there_of_an_older_tenure_is_written_over(bench: Bench) -> None:
    bench.load()
    later = replace(bench.target, generation=4, image_data=ImageData(text="other").encoded())
    bench.load(later)
    assert (bench.folder / "note1.txt").read_text() == "other"


def test_what_is_newer_or_not_ours_stays(bench: Bench) -> None:
    bench.load(replace(bench.target, generation=4))
    for act in (lambda: bench.load(), lambda: bench.module.remove(FakeContext(), bench.target)):
        with pytest.raises(NotOurs, match="generation 4, newer than 3"):
            act()
    with pytest.raises(NotOurs, match="installation other"):
        bench.load(replace(bench.target, installation="other", generation=5))
    theirs = replace(bench.target, computer="note2")
    (bench.folder / "note2.txt").write_text("mine, and not to be touched")
    with pytest.raises(NotOurs, match="was not made by vclab"):
        bench.load(theirs)
    bench.module.remove(FakeContext(), theirs)
    assert (bench.folder / "note2.txt").read_text() == "mine, and not to be touched"
    (bench.folder / ".note2.mark").write_text("no mark")
    with pytest.raises(NotOurs, match="not a mark of vclab"):
        bench.module.remove(FakeContext(), theirs)


def test_the_fence_is_asked_before_each_act(bench: Bench) -> None:
    with pytest.raises(Fenced):
        bench.load(context=FakeContext(allowed=0))
    assert bench.files() == []
    bench.load()
    with pytest.raises(Fenced):
        bench.module.remove(FakeContext(allowed=0), bench.target)
    assert (bench.folder / "note1.txt").exists()


def test_a_survey(bench: Bench) -> None:
    assert [(h.name, h.usable) for h in bench.module.survey("texts").hosts] == [("note1", True), ("note2", True)]
    bench.folder.rmdir()
    assert bench.module.survey("texts").hosts[0].why_not == f"there is no folder {bench.folder}"
    with pytest.raises(StepFailed, match="can't be kept: there is no"):
        bench.load()


def test_what_is_in_the_way_is_tried_again(bench: Bench) -> None:
    (bench.folder / "note1.txt.new").mkdir()
    with pytest.raises(Unreachable, match="it will be tried again"):
        bench.load()


@pytest.mark.parametrize("text", ["a\0", "a\r\n", "\x1b[2J", "x" * 10_001, "\ud800"])
def test_what_is_no_text(text: str) -> None:
    with pytest.raises(Refused, match="the image i: text: "):
        ImageData.checked({"text": text}, "the image i")


def test_data_that_can_not_be_read(bench: Bench) -> None:
    with pytest.raises(StepFailed, match="of the image i, revision 1, can't be read: text: Field required"):
        bench.load(replace(bench.target, image_data="{}"))
    bench.data = '{"folder": "../x"}'
    with pytest.raises(StepFailed, match=r"of the endpoint texts can't be read: folder: .* absolute path"):
        bench.module.survey("texts")
