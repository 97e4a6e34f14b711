"""The gate: sequential evidence for advancing or rolling back, which may be read at any time.

Begin with ``analysis``. It uses, from the numbers upwards: ``blocks/`` (outcomes of both sides in the same
span: from ledger, outcome feed, metrics); ``evidence/`` (``e_values``: one block; ``e_process``: all blocks;
``spells``: failures that come together, ``sign``: who has more of them; ``comparison``: one stream;
``streams``: all streams of the probe or of the users; ``warmth``: is the candidate warm; ``failure_limit``:
too many failures, whatever the other side does); ``news`` (is the evidence recent?); ``worse`` (why to roll
back), ``stepping`` (why to take the clients away), ``climbing`` (when they come back), ``proof`` (what is
still to be shown), ``verdicts`` (what follows for the stage); ``caution`` (what a verdict leaves in memory,
``past``); ``reasons`` and ``against`` (why, in words).
"""
