"""Payments: baskets that are paid and become orders, and the Cashier, which owns their payments."""
