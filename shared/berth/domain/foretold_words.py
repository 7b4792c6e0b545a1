"""A foretold tick or pass in words, one line a step, for people at a terminal."""

from berth.domain.foretelling import Basis, Foretold, Step, Totals
from berth.domain.foretold_pass import ForetoldPass, PassStep

_UNITS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def of_tick(plan: Foretold) -> str:
    """Return a tick's plan as text, with a newline at its end."""
    lines = [_headline(plan), *(f"  {_line(step)}" for step in plan.steps)]
    if plan.left_out:
        lines.append(f"  and {plan.left_out} more")
    if plan.steps:
        lines += ["", *_sums(plan.totals, plan.basis)]
    if plan.blocked:
        lines.append(f"Held back: {plan.blocked}.")
    lines += ["", "Not told here:", *(f"  {one}" for one in plan.unknown)]
    return "\n".join(lines) + "\n"


def of_pass(plan: ForetoldPass) -> str:
    """Return a shard's plan as text, with a newline at its end."""
    head = f"At {plan.at} {plan.shard} has "
    head += "this to do:" if plan.steps else "nothing to do."
    lines = [head, *(f"  {_open(step)}" for step in plan.steps)]
    lines += ["", "Not told here:", *(f"  {one}" for one in plan.unknown)]
    return "\n".join(lines) + "\n"


def _open(step: PassStep) -> str:
    cost = "; ".join(_cost(step.bytes, step.seconds, 0.0))
    return f"{step.kind} {step.subject}: {step.reason}" + (f" ({cost})" if cost else "")


def _headline(plan: Foretold) -> str:
    if not plan.steps:
        return f"At {plan.at} the next tick would change nothing."
    counted = ", ".join(f"{kind} {number}" for kind, number in plan.totals.steps.items())
    return f"At {plan.at} the next tick would: {counted}."


def _line(step: Step) -> str:
    word = "to" if step.kind in ("move", "cut over", "give up", "rehome") else "on"
    where = f" {word} {step.shard}" if step.shard != step.subject else ""
    cost = "; ".join(_cost(step.bytes, step.seconds, step.dollars_a_month))
    return f"{step.kind} {step.subject}{where}: {step.reason}" + (f" ({cost})" if cost else "")


def _cost(size: int, seconds: float, dollars: float | None) -> tuple[str, ...]:
    loads = f"loads {human(size)} in about {seconds:.1f} s" if size or seconds else ""
    money = "no price" if dollars is None else f"{dollars:+.2f} dollars a month" if dollars else ""
    return tuple(word for word in (loads, money) if word)


def _sums(totals: Totals, basis: Basis | None) -> tuple[str, ...]:
    cost = "; ".join(_cost(totals.bytes, totals.seconds, totals.dollars_a_month))
    together = f"Together: {cost}." if cost else "Together: nothing is loaded, nothing costs more."
    if basis is None:
        return (together, "There is no price for the machine that serves.")
    doubt = "" if basis.verified else ", not verified"
    where = f"{basis.currency}, list prices of {basis.region} as of {', '.join(basis.dates)}{doubt}"
    return (together, f"Money: {where}, for nodes of type {basis.machine}.")


def human(size: int) -> str:
    """Return bytes in the largest unit that leaves a whole one."""
    for name, unit in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"
