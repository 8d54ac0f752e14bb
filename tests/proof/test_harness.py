"""Test the tools of the scenarios: faults in a copy of the code, the results page, the proxy."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from benchmarks.wire import Call
from tests.proof import page
from tests.proof.clients import ask
from tests.proof.proxy import LossyProxy
from tests.proof.scenario import Scenario
from tests.proof.scenarios import SCENARIOS
from tests.proof.trees import Fault, faulty_file, faulty_tree


def fault(before: str) -> Fault:
    return Fault(scenario="storm", before=before, after="pass", effect="none")


@pytest.mark.parametrize("before", ["a line that is nowhere", "import"])
def test_fault_is_an_error_unless_its_line_occurs_exactly_once(before: str) -> None:
    with pytest.raises(LookupError, match="must occur once"), faulty_tree(fault(before)):
        pass


def test_planted_fault_changes_the_copy_but_not_the_sources() -> None:
    planted = SCENARIOS["storm"].faults[0]
    before = faulty_file(planted).read_text("utf-8")
    with faulty_tree(planted) as tree:
        [changed] = tree.rglob(faulty_file(planted).name)
        assert changed.read_text("utf-8") == before.replace(planted.before, planted.after)
    assert faulty_file(planted).read_text("utf-8") == before


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda one: one.name)
def test_page_has_marks_for_the_table_of_each_scenario(scenario: Scenario) -> None:
    text = page.between_marks(page.PAGE.read_text("utf-8"), scenario.name, "new")
    assert f"<!-- proof: {scenario.name} -->\nnew\n<!-- end of {scenario.name} -->" in text


def test_page_lists_the_planted_faults() -> None:
    assert page.faults_table(SCENARIOS) in page.PAGE.read_text("utf-8")


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_proxy_loses_only_responses_of_its_path(chance: float) -> None:
    async def talk() -> tuple[list[bool], int, int]:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy = LossyProxy(port, path="/lossy/", chance=chance, random=Random(1))
        async with server, proxy.running():
            answers = [await ask(proxy.port, Call(path=path)) for path in ("/lossy/", "/safe/")]
        return [answer is not None for answer in answers], proxy.dropped, proxy.delivered

    assert asyncio.run(talk()) == ([not chance, True], int(chance), int(not chance))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    await writer.drain()
    writer.close()
