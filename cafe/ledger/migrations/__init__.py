"""How the tables came to be, version by version; `cafe.ledger.migrating` runs them."""
