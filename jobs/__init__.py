"""The jobs: arguments -> configuration -> one call of the library."""
