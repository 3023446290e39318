"""Tests; mirrors the package, one folder per room."""
