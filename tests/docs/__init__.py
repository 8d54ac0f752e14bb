"""The documentation, executed: what a page says to type is typed, what it shows is compared."""
