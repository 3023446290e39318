"""Collections as files and back.

- `archive`, `unpacking`: a snapshot as a file, written, verified, unpacked. `shelf`: where they lie.
- `backup`: collections to snapshots and back. `child`: the process that packs and unpacks.
"""
