"""Python runs this before the program of a task: certifi's authorities are those that the sandbox names.

certifi, which `requests` asks, reads no variable. On AWS every image trusts who signs ACM's certificates;
here that is the sandbox's own authority.
"""

import contextlib
import os

with contextlib.suppress(ImportError):  # an image without it has nothing to be told
    import certifi

    certifi.where = lambda: os.environ["SSL_CERT_FILE"]
