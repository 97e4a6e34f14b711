"""The gate: sequential evidence for going back and for going on, looked at as often as one likes.

``analysis`` is the way in. Below it, from the numbers upwards: ``blocks/`` (outcomes of both sides in the
same span of time: from ledger, outcome feed, metrics), ``evidence/`` (``e_values``: what one block
says; ``e_process``: what all blocks say; ``comparison``: one stream; ``streams``: all of the probe or of the
users; ``failure_limit``: too many failures, whatever the other side does), ``news`` (whether it is recent),
``verdicts`` (what all of it means for a stage) and ``reasons`` (why, in words).
"""
