"""Shows an archive run to a person, to a program and to Prometheus."""
