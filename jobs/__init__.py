"""The jobs of the command line. Each turns its arguments into a configuration and makes one call of the library."""
