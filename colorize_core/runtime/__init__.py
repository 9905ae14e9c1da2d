"""Where the work runs: a Ray cluster, or processes of this machine; and what a process does about its libraries."""
