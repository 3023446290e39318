"""What is on the disk, who owns it, and what may be done to it.

- `storage`, `aliases`: all collections of a folder. `layout`: where the parts of one lie in its own folder.
- `collection`: one collection over one shard. `shards`: that shard's folder. `intent`: its write under way.
- `upkeep`, `backlog`, `journal`: what a collection keeps for its optimiser.
- `files`, `copying`: whole files, folders with holes.
"""
