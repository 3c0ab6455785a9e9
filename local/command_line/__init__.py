"""`haimaker` on the command line: keys, spend, models, routes and credentials, of the local gateway and of a deployed stack.

`bin/haimaker` and the Makefile call `python -m local.command_line`. No secret is an argument, nor part of an output, but for a new
key, which is printed once.
"""
