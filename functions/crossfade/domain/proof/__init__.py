"""The proof: what the ledger says about a deployment that has ended."""
