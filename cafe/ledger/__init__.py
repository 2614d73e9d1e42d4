"""The ledger: what the shop has promised, on disk before it is said."""
