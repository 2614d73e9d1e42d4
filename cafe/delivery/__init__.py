"""Delivery: couriers, districts, and which courier carries which order, owned by Couriers."""
