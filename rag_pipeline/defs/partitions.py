"""The partitions: one for each collection, added by the sensor. Creating a collection is data, not a deploy."""

import dagster as dg

collections_partitions = dg.DynamicPartitionsDefinition(name="collections")
