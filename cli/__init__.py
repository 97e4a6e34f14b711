"""The command ``crossfade``: takes a running service over, checks it, and hands it back.

It runs with the caller's own AWS credentials, and decides nothing by itself: what can be deployed, and what
has to be made for it, is asked of the code that deploys (``functions/crossfade``).
"""

import sys

# `sam deploy` packs functions/ as it is: bytecode in it would be a new version of every function.
sys.dont_write_bytecode = True
