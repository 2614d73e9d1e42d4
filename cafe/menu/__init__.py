"""The menu: products with their variations and prices, and the MenuKeeper, which owns them."""
