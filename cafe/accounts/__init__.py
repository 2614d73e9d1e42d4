"""Accounts: who is known to the shop, their roles and sign-ins, and the Accounts actor."""
