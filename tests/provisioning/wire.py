"""The wire between the module and its endpoint, to be cut at any act."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from tests.provisioning.bench import Bench, FakeContext
from vclab.model.errors import Unreachable
from vclab.model.plans import Target
from vclab.provisioning.vsphere import session as sessions
from vclab.provisioning.vsphere import transfer
from vclab.provisioning.vsphere.api import vmodl
from vclab.provisioning.vsphere.module import VSphere

T = TypeVar("T")
Work = Callable[[VSphere, FakeContext], object]
ACTS = re.compile(r".*_Task|MakeDirectory|CreateFolder|SetField|AddCustomFieldDef|ImportVApp|UnregisterVM|HttpNfc.*")
LOOKS = re.compile(r"SearchDatastore.*")


class Killed(BaseException):
    """The process is dead: nothing after this reaches the endpoint."""


class Wire:
    """The wire between the module and the endpoint, cut at one of the calls that change something; the transfer of a
    disk is one, too.

    "after": the process dies when it has the answer; "before": it dies when the act is about to be sent, all earlier
    ones being finished; "lost": the act is done, but the process gets no answer in time.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cut_at, self.how = 0, ""
        self.acts: list[str] = []
        self.dead = False
        self._leases: list[Any] = []
        call, post = sessions._Stub._counted, transfer._post

        def counted(stub: Any, mo: Any, info: Any, args: Any, outer: Any) -> Any:
            def sent() -> Any:
                answer = call(stub, mo, info, args, outer)
                if info.wsdlName == "ImportVApp":
                    self._leases.append(answer)
                return answer

            return self._passed(info.wsdlName, sent)

        def posted(*args: Any) -> None:
            try:
                self._passed("POST_Task", lambda: post(*args))
            except TimeoutError as error:
                raise Unreachable(str(error)) from None

        monkeypatch.setattr(sessions._Stub, "_counted", counted)
        monkeypatch.setattr(transfer, "_post", posted)

    def _passed(self, name: str, do: Callable[[], T]) -> T:
        act = bool(ACTS.fullmatch(name)) and not LOOKS.fullmatch(name)
        if act:
            self.acts.append(name)
        cut = act and len(self.acts) == self.cut_at
        self.dead |= cut and self.how == "before"
        if self.dead:
            raise Killed
        answer = do()
        self.dead |= cut and self.how == "after"
        if cut and self.how == "lost":
            raise TimeoutError("the answer was lost on its way")
        return answer

    def cut(self, at: int, how: str) -> None:
        """Cut it at act number ``at`` from now."""
        self.acts, self.cut_at, self.how, self.dead = [], at, how, False

    def mend(self, later: bool) -> None:
        """A new process; so much ``later`` that the endpoint has ended the leases of the one before."""
        self.dead = False
        if later:
            before = self.acts, self.cut_at
            self.acts, self.cut_at = [], 0
            for lease in self._leases:
                with suppress(vmodl.MethodFault):
                    lease.HttpNfcLeaseAbort(None)
            self._leases.clear()
            self.acts, self.cut_at = before


def step_of(bench: Bench, step: str, target: Target) -> Work:
    """A step, to be insisted on."""
    return lambda module, context: bench.run(step, target, context, module)


def removal_of(target: Target) -> Work:
    """The removal of a machine, to be insisted on."""
    return lambda module, context: module.remove(context, target)


def insist(bench: Bench, wire: Wire, work: Work, keeps: bool) -> None:
    """Work until it succeeds, each time as a new process would, with or without what the last one remembered."""
    remembered: dict[str, str] = {}
    module = bench.module
    for _ in range(3):
        context = FakeContext(remembered=remembered)
        try:
            work(module, context)
            return
        except (Killed, Unreachable):
            remembered = context.kept if keeps else {}
            module = bench.new_module()
            wire.mend(later="lease" not in remembered)
    raise AssertionError("it did not work in three attempts")
