"""Where the README's figures come from. `python -m bench` measures; every server and client is a process of its own."""
