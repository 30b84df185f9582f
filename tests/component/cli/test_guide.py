"""The four commands of the guide, word for word, and what they ask of the control plane."""

import json
from pathlib import Path
from typing import Any

from microstax.api import methods
from microstax.generated.management.microstax.management import v1

PATCH = "services: {catalog: {command: [python, catalog.py, --v2]}}\n"


def done(message: str = "") -> list[v1.Progress]:
    return [v1.Progress(message="working"), v1.Progress(message=message, done=True)]


async def test_promote(cli: Any, management: Any) -> None:
    management.on(methods.PROMOTE_ENVIRONMENT, done())
    ended = await cli("env", "promote", "production-cluster-01")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert management.requests == [v1.PromoteEnvironmentRequest(name="production-cluster-01")]


async def test_overlay_create_sends_the_file_and_its_folder(cli: Any, management: Any) -> None:
    management.on(methods.CREATE_OVERLAY, done())
    Path(cli.state, "patch.yaml").write_text(PATCH)
    ended = await cli(
        "overlay", "create", "--baseline", "production-cluster-01", "--file", "./patch.yaml", "--name", "shadow-test"
    )
    assert (ended.code, ended.err) == (0, "")
    [request] = management.requests
    assert (request.name, request.baseline, request.dry_run) == ("shadow-test", "production-cluster-01", False)
    assert (request.file.name, request.file.text, request.file.directory) == ("./patch.yaml", PATCH, str(cli.state))


async def test_shadow_sends_nothing_that_was_not_said(cli: Any, management: Any) -> None:
    management.on(methods.SET_SHADOW, done())
    ended = await cli("env", "shadow", "shadow-test", "--enable")
    assert (ended.code, ended.err) == (0, "")
    assert management.requests == [v1.SetShadowRequest(overlay="shadow-test", enable=True)]


async def test_diffs_prints_the_document(cli: Any, management: Any, document: Any) -> None:
    management.on(methods.GET_REPORT, v1.GetReportResponse(document=json.dumps(document).encode()))
    ended = await cli("env", "diffs", "shadow-test", "-o", "json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == document
    assert management.requests == [v1.GetReportRequest(overlay="shadow-test", min_pairs=100)]
