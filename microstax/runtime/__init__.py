"""Where services run. `port` is the interface; `local` starts processes; a fake is shipped beside it."""
