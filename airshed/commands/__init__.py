"""The commands of the command line, one module per group; each only composes what lies below."""
