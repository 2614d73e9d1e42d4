"""The bus: fronts ask a house on another machine over streams of Redis or Valkey."""
