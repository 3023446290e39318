"""Promises that need thousands of repetitions: `make prove`."""
