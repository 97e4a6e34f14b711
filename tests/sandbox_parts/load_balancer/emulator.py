"""A real emulator process with the load balancer installed; argv[1]: JSON list of [ip, port, local port];
argv[2]: the file for the certificate of the load balancer's authority.
"""

import json
import sys
from pathlib import Path

from ministack.app import main

from sandbox.delays import PACES, Delay
from sandbox.host.addresses import addresses
from sandbox.load_balancer import install, stop
from sandbox.load_balancer.certificates import authority

PACES["rehearsal"][Delay.CLIENTS] = (0.3, 0.4)
for ip, port, local in json.loads(sys.argv.pop(1)):
    addresses.bind(ip, port, local)
authority.begin(Path(sys.argv.pop(1)))
install()
try:
    main()
finally:
    stop()
