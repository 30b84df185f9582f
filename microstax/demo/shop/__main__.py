"""Run one service of the shop: `PORT=8080 python -m microstax.demo.shop catalog [--v2]`.

The variable SHOP_FAULT names a fault that its answers then have (microstax.demo.shop.faults).
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from microstax.demo.shop.backends import Inventory, Orders, Pricing, Reviews
from microstax.demo.shop.catalog import Catalog
from microstax.demo.shop.catalog_v2 import CatalogV2
from microstax.demo.shop.faults import VARIABLE, UnknownFaultError, planted
from microstax.demo.shop.service import MissingNeighbourError, Service
from microstax.demo.shop.storefront import Storefront
from microstax.errors import EXIT_FAULT, EXIT_USAGE

SERVICES: Final[dict[str, type[Service]]] = {
    service.name: service for service in (Storefront, Catalog, Pricing, Inventory, Reviews, Orders)
}
STOP_WITHIN_S: Final = 2.0


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM; requests that are under way are still answered. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m microstax.demo.shop", description="Run one service of the shop.")
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("--v2", action="store_true", help="run the branch's version (catalog only)")
    chosen = parser.parse_args(arguments)
    if chosen.v2 and chosen.service != Catalog.name:
        parser.error("--v2 exists for catalog only")
    port = os.environ.get("PORT", "")
    if not (port.isascii() and port.isdigit()):
        parser.error("the variable PORT must say where to listen, for example PORT=8080")
    return _serve(CatalogV2 if chosen.v2 else SERVICES[chosen.service], int(port))


def _serve(kind: type[Service], port: int) -> int:
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        service = kind()
        application = service.application()
        if fault := os.environ.get(VARIABLE):
            application.middlewares.append(planted(fault))
        logging.getLogger("shop").info("%s listens on 127.0.0.1:%d", service.instance, port)
        web.run_app(
            application,
            host="127.0.0.1",
            port=port,
            print=None,
            access_log=None,
            shutdown_timeout=STOP_WITHIN_S,
        )
    except (MissingNeighbourError, UnknownFaultError) as error:
        print(f"{kind.name}: {error}", file=sys.stderr)  # noqa: T201  # its log is where the runtime looks
        return EXIT_USAGE
    except OSError as error:
        print(f"{kind.name}: cannot listen on 127.0.0.1:{port}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return EXIT_FAULT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
