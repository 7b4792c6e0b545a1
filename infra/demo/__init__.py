"""`make demo`: the main job end to end, by an outside client that knows only the stack's environment."""
