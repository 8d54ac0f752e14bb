"""Tests that run the documentation's code and commands, and compare its tables with the code."""
