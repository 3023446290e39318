"""A collection's configuration: `params` reads it, `schema` keeps it, `changes` alters, `engine_config` hands on."""
