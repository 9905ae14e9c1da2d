"""Reports the progress of an archive run to people, programs and Prometheus."""
