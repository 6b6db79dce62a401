"""Reading: only by property paths, in bulk, in one round trip. A path that is unset is absent from the answer."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from vclab.provisioning.vsphere.api import Ref, vim, vmodl
from vclab.provisioning.vsphere.session import Session

_Collector = vmodl.query.PropertyCollector
Values = dict[str, Any]


def read(session: Session, ref: Ref, paths: Sequence[str]) -> Values | None:
    """The values of one object; None when it does not exist (any more)."""
    found = read_all(session, [ref], paths)
    return found[0][1] if found else None


def read_all(session: Session, refs: Iterable[Ref], paths: Sequence[str]) -> list[tuple[Ref, Values]]:
    """The values of objects of one type. Those that are gone are left out."""
    wanted = list(refs)
    if not wanted:
        return []
    spec = _Collector.FilterSpec(
        objectSet=[_Collector.ObjectSpec(obj=ref) for ref in wanted],
        propSet=[_Collector.PropertySpec(type=type(wanted[0]), pathSet=list(paths))],
    )
    try:
        return _retrieve(session, spec)
    except vmodl.fault.ManagedObjectNotFound:
        if len(wanted) == 1:
            return []
        return [pair for ref in wanted for pair in read_all(session, [ref], paths)]


def find_all(session: Session, kind: Any, paths: Sequence[str], root: Ref = None) -> list[tuple[Ref, Values]]:
    """The values of all objects of a type below ``root`` (default: everywhere)."""
    content = session.content
    view = content.viewManager.CreateContainerView(root or content.rootFolder, [kind], True)
    walk = _Collector.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
    spec = _Collector.FilterSpec(
        objectSet=[_Collector.ObjectSpec(obj=view, skip=True, selectSet=[walk])],
        propSet=[_Collector.PropertySpec(type=kind, pathSet=list(paths))],
    )
    try:
        return _retrieve(session, spec)
    finally:
        with suppress(vmodl.MethodFault):
            view.DestroyView()


def _retrieve(session: Session, spec: Any) -> list[tuple[Ref, Values]]:
    collector = session.content.propertyCollector
    page = collector.RetrievePropertiesEx([spec], _Collector.RetrieveOptions())
    found: list[tuple[Ref, Values]] = []
    while page:
        found += [(one.obj, {p.name: p.val for p in one.propSet}) for one in page.objects]
        page = collector.ContinueRetrievePropertiesEx(page.token) if page.token else None
    return found
