"""The gate: sequential evidence for advancing or rolling back, which may be read at any time.

Begin with ``analysis``. It uses, from the numbers upwards: ``blocks/`` (outcomes of both sides in the same
span: from ledger, outcome feed, metrics); ``evidence/`` (``e_values``: one block; ``e_process``: all blocks;
``comparison``: one stream; ``streams``: all streams of the probe or of the users; ``failure_limit``: too many
failures, whatever the other side does); ``news`` (is the evidence recent?); ``verdicts`` (what follows for
the stage); ``reasons`` (why, in words).
"""
