"""One file, one verb: wiring, no arithmetic. Only here are imports inside functions, so that `--help` is quick."""
