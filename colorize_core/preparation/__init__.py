"""From a data set as published to training-ready shards."""
