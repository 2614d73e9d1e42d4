"""What people look at: pages for customers, baristas, couriers and managers, and their texts."""
