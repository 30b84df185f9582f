"""The worker process between a scripted Envoy and a control plane."""

import asyncio
import json
import time

import grpc
from worker_harness import ControlPlane, StartWorker, WorkerProcess, until

from microstax.capture import Redaction
from microstax.diff.aggregate import ServiceAggregate
from microstax.generated.management.microstax.management.v1 import NodeCounters, Target
from microstax.model.exchange import Response, Side
from microstax.model.record import decode_pair
from microstax.testing import ScriptedTap, a_request, a_response, an_exchange, tap_trace


def captured(identity: str, side: Side = Side.BASELINE, response: Response | None = None) -> bytes:
    """Return the trace of a request that is under way now."""
    request = a_request(headers=(("authorization", "s3cr3t"),))
    now_us = time.time_ns() // 1000
    return tap_trace(an_exchange(side, id=identity, request=request, response=response, started_us=now_us))


def pair(identity: str, branch_status: int = 200) -> list[bytes]:
    """Return the two traces of one request."""
    return [captured(identity), captured(identity, Side.BRANCH, a_response(status=branch_status))]


async def test_pairs_become_deltas(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.aim(target)
    tap.send(*pair("id-1"), *pair("id-2", 500)).send(*pair("id-3"))
    await control.until_paired(3)
    assert [delta.sequence for delta in control.deltas] == list(range(1, len(control.deltas) + 1))
    (name,) = {delta.worker_id for delta in control.deltas}
    assert name.startswith("worker-")
    aggregate = ServiceAggregate.empty()
    for delta in control.deltas:
        for service in delta.services:
            aggregate.merge(ServiceAggregate.from_bytes(service.aggregate))
    assert aggregate.pairs == 3
    assert control.greetings[0].pid == worker.process.pid


async def test_no_secret_leaves_the_worker(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    rules = Redaction(key=b"k" * 32, json_paths=("$.email",))
    target.redaction = rules.to_bytes()
    body = json.dumps({"email": "me@s3cr3t"}).encode()
    tap.send(captured("id-1", response=a_response(body)))
    tap.send(captured("id-1", Side.BRANCH, a_response(body, status=500)))
    control.aim(target)
    await control.until_paired(1)
    await worker.end()
    examples = [record for delta in control.deltas for service in delta.services for record in service.examples]
    assert decode_pair(examples[0]).triple.branch.response.status == 500
    assert b"s3cr3t" not in b"".join(map(bytes, control.deltas))
    assert "s3cr3t" not in worker.log


async def test_unreadable_rules_stop_the_capture(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    target.redaction = b"garbage"
    tap.send(*pair("id-1"))
    control.aim(target)
    await worker.until_log("the redaction rules of this target are not readable")
    await asyncio.sleep(0.5)
    assert tap.polls == []
    target.redaction = Redaction(key=b"k" * 32).to_bytes()
    control.aim(target)
    await control.until_paired(1)


async def test_a_delta_whose_acknowledgement_is_lost_is_sent_again(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.lose_acks = 2
    control.aim(target)
    tap.send(*pair("id-1"))
    await control.until_paired(1)
    tap.send(*pair("id-2"))
    await control.until_paired(2)
    assert control.submitted >= len(control.deltas) + 2


async def test_a_delta_that_is_refused_holds_back_no_other(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.refusals = [grpc.StatusCode.INVALID_ARGUMENT]
    control.aim(target)
    tap.send(*pair("lost"))
    await worker.until_log("a delta was refused and is lost: refused by the test")
    tap.send(*pair("id-2"))
    await control.until_paired(1)


async def test_a_full_disk_is_waited_for(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.refusals = [grpc.StatusCode.UNAVAILABLE] * 3
    control.aim(target)
    tap.send(*pair("id-1"))
    await control.until_paired(1)


async def test_a_control_plane_that_is_away_costs_no_pair(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.aim(target)
    tap.send(*pair("id-1"))
    await control.until_paired(1)
    await control.stop()
    await worker.until_log("went away before it was done")
    for number in range(2, 6):
        tap.send(*pair(f"id-{number}"))
    await asyncio.sleep(1.5)
    await control.start()
    await control.until_paired(5)
    await until(lambda: len(control.greetings) == 2)
    assert "Traceback" not in worker.log


async def test_the_end_takes_along_what_was_captured(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.aim(target)
    tap.send(*pair("id-1"))
    await control.until_paired(1)
    tap.send(*pair("id-2"), captured("half", Side.BRANCH))
    await control.until_paired(2)
    assert await worker.end() == 0
    assert control.paired == 2
    assert control.not_compared == {"capture_gap": 1}
    assert "ends after 2 pairs" in worker.log


async def test_garbage_is_told_once_and_costs_only_itself(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.aim(target)
    for number in range(3):
        tap.send(b"\xff\xff xyzzy", *pair(f"id-{number}"))
    tap.send_raw(b"\xff" * 50)
    tap.cut(b"\x7f half a trace")
    tap.send(*pair("id-9"))
    await control.until_paired(4)
    await worker.end()
    assert worker.log.count("a trace cannot be used") == 1
    assert "xyzzy" not in worker.log
    assert "Traceback" not in worker.log


async def test_a_second_client_of_the_tap_is_visible(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    tap.refuse(400, "An attached /tap admin stream already exists. Detach it.").send(*pair("id-1"))
    control.aim(target)
    await worker.until_log("another client polls its tap")
    await control.until_paired(1)
    await worker.until_log("its traces arrive again")


async def test_a_target_that_goes_is_left_alone(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    control.aim(target)
    tap.send(*pair("id-1"))
    await control.until_paired(1)
    control.aim()
    await worker.until_log("no longer watching tee-shop")
    polls = len(tap.polls)
    await asyncio.sleep(1.2)
    assert len(tap.polls) <= polls + 1
    control.aim(target)
    tap.send(*pair("id-2"))
    await control.until_paired(2)


async def test_counters_arrive_with_an_epoch_that_tells_a_restart(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    name = "cluster.copy/catalog/branch/shadow-test.upstream_rq_total"
    tap.stats = json.dumps({"stats": [{"name": name, "value": 7}, {"name": "text", "value": "x"}]}).encode()
    control.aim(target)
    readings = await first_counters(control)
    assert readings[0].node_id == "tee-shop"
    assert readings[0].counters == {name: 7}
    await tap.stop()
    await tap.start()
    tap.stats = json.dumps({"stats": [{"name": name, "value": 1}]}).encode()
    await until(lambda: read(control)[-1].counters == {name: 1})
    assert read(control)[-1].epoch != readings[0].epoch


async def test_a_tap_that_is_attached_is_told_at_once(
    control: ControlPlane, tap: ScriptedTap, target: Target, worker: WorkerProcess
) -> None:
    target.shadows[0].generation = 3
    tap.refuse(400, "Unknown config id 'x'. No extension has registered with this id.")
    control.aim(target)
    await until(lambda: bool(said(control)))
    assert said(control)[0] == {"tee-shop": {"shadow-test": 3}}
    assert len(tap.polls) > 1
    target.shadows[0].generation = 4
    control.aim(target)
    await until(lambda: said(control)[-1] == {"tee-shop": {"shadow-test": 4}})
    tap.send(*pair("id-1"))
    await control.until_paired(1)
    assert [one.generation for delta in control.deltas for one in delta.services if one.paired] == [4]
    await tap.stop()
    await until(lambda: said(control)[-1] == {})


def said(control: ControlPlane) -> list[dict[str, dict[str, int]]]:
    told = [{one.node_id: dict(one.generations) for one in delta.watched} for delta in control.deltas]
    first = next((number for number, one in enumerate(told) if one), len(told))
    return told[first:]


def read(control: ControlPlane) -> list[NodeCounters]:
    return [one for delta in control.deltas for one in delta.counters]


async def first_counters(control: ControlPlane) -> list[NodeCounters]:
    await until(lambda: bool(read(control)))
    return read(control)


async def test_a_bridge_is_counted_and_not_tapped(
    control: ControlPlane, tap: ScriptedTap, worker: WorkerProcess
) -> None:
    control.aim(Target(node_id="bridge-shadow-test", role="bridge", admin_address=tap.address))
    await first_counters(control)
    assert tap.polls == []


async def test_another_process_is_another_worker(
    control: ControlPlane, tap: ScriptedTap, target: Target, start_worker: StartWorker
) -> None:
    """Deltas are numbered within a process: a restarted one must not repeat the numbers of the one before."""
    control.aim(target)
    for number in (1, 2):
        started = await start_worker()
        tap.send(*pair(f"id-{number}"))
        await control.until_paired(number)
        await started.kill()
    assert len({delta.worker_id for delta in control.deltas}) == 2
