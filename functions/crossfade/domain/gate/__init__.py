"""The gate: sequential evidence for going back and for going on, looked at as often as one likes.

``look`` is the way in. Below it, from the numbers upwards: ``bets`` (what one block says), ``capital`` (an
e-process: what all blocks say), ``comparison`` (one stream), ``source`` (the streams of the probe or of the
users), ``guard`` (too many failures, whatever the other side does), ``lanes`` (the ledger as blocks),
``feed`` and ``minutes`` (users' outcomes as blocks), ``judgement`` (what all of it means for a stage) and
``words`` (why).
"""
