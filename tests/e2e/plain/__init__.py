"""The example with additional views that do not use REST framework."""
