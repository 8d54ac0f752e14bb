"""Tests of projects that move from other packages to drf-signet. Their users stay logged in."""
