"""A real emulator process with the load balancer installed; argv[1]: JSON list of [ip, port, local port]."""

import json
import sys

from ministack.app import main

from sandbox.delays import PACES, Delay
from sandbox.host.addresses import addresses
from sandbox.load_balancer import install, stop

PACES["rehearsal"][Delay.CLIENTS] = (0.3, 0.4)
for ip, port, local in json.loads(sys.argv.pop(1)):
    addresses.bind(ip, port, local)
install()
try:
    main()
finally:
    stop()
