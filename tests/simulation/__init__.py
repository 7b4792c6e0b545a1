"""Large fleets without a stack, simulated and measured."""
