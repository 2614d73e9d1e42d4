"""The ledger: one log of events and every department's rows, committed before a reply is sent."""
