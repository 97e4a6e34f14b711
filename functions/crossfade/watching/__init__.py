"""What watching handlers share: the ledger as it grows, the gate, users' outcomes, slots that keep up."""
