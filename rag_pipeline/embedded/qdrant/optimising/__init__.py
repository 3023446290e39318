"""Collections put in order in the background: `optimiser` says how and why that loses nothing, `child` does it."""
