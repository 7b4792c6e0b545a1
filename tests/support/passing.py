"""Time that passes in a World."""


def minutes(world, number, check=None):
    """Let so many minutes pass, with the tick that each brings; `check` is asked after each."""
    for _ in range(number):
        world.fleet_tick()
        world.tick(3)
        world.clock.advance(60)
        if check:
            check()
