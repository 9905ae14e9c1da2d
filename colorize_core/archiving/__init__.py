"""Colorizes archives: list -> plan -> read -> predict -> finish, with a ledger of the finished photographs."""
