"""The menu: products with their variations and prices, and the Menu, which owns them."""
