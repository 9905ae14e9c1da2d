"""Sinks, which write the results of a task: a file per page, or shards that hold many images."""
