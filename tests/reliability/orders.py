"""Orders: events permuted and repeated, deliveries interleaved call by call; one end for all of them."""

import functools
import random

from tests.reliability import facts, matrix, stories
from tests.reliability.fleet import Fleet, Story
from tests.reliability.speed import fast
from tests.reliability.together import Together

# What may have happened, in this order; what is not always so may be left out.
ALWAYS = ("sign up", "upload 1")
SOMETIMES = (
    "plan",
    "upload 2",
    "upload bad",
    "keep two",
    "delete 1",
    "delete model",
    "upload 3",
    "close",
)
CHRONOLOGY = (
    "upload 1", "sign up", "plan", "upload 2", "upload bad", "keep two", "delete 1", "delete model",
    "upload 3", "close", "sign up again",
)  # fmt: skip
PUTS = {
    "upload 1": stories.upload(1),
    "upload 2": stories.upload(2),
    "upload 3": stories.upload(3),
    "upload bad": functools.partial(stories.bad, model="bad"),
    "keep two": stories.keep_two,
}
SAYS = {
    "sign up": stories.sign_up,
    "plan": stories.plan_changed,
    "delete 1": functools.partial(stories.forget, number=1),
    "delete model": stories.forget_model,
    "close": stories.close,
    "sign up again": stories.sign_up,
}
DISTURBANCES = ("tick", "restart a pod", "kill a pod", "wait")
INTERLEAVED = (
    "a sign-up with its starter model",
    "a second version",
    "serving.yaml keeps two",
    "a version that does not load",
    "closed, and signed up again",
    "an upload, and its deletion",
    "a full shard's model placed anew",
    "a model moves",
    "a version comes while its model moves",
    "a model is deleted while it moves",
    "a shard drains",
    "a shard is given back",
)


def happened(names) -> tuple[Fleet, tuple]:
    """A fleet to which these things happened, and the messages that tell of them, none delivered."""
    fleet = stories.EMPTY()
    for name in CHRONOLOGY:
        if name in names:
            PUTS.get(name, SAYS.get(name))(fleet)
            fleet.clock.advance(1)
    fleet._collect()
    messages = tuple(fleet.queue)
    fleet.queue.clear()
    return fleet, messages


@functools.lru_cache(512)
def _wanted(names):
    fleet, messages = happened(names)
    fleet.queue.extend(matrix.copy_of(message) for message in messages)
    return _end(fleet)


def _end(fleet):
    nothing = Story("the rest", stories.EMPTY, ())
    return facts.facts(fleet.tell(nothing))


def permuted(names, order, between) -> list[str]:
    """Deliver the messages in an order of their numbers, some more than once; return what differs.

    `between` maps a place in the order to a disturbance before it. What the order leaves out comes last.
    """
    fleet, messages = happened(names)
    whole = [number % len(messages) for number in order]
    whole += [number for number in range(len(messages)) if number not in whole]
    for place, number in enumerate(whole):
        _disturb(fleet, between.get(place))
        fleet.deliver(matrix.copy_of(messages[number]))
        if place % 3 == 2 and (due := fleet.due()) is not None:
            fleet.deliver(due)
    return matrix.differences(_wanted(names), _end(fleet))


def _disturb(fleet, what) -> None:
    pods = [pod for pod in fleet.workloads._pods_of("shard-0") if pod.started_at]
    if what == "tick":
        fleet.send_tick(sweep=True)
        fleet.deliver(fleet.queue.pop())
    elif what == "restart a pod" and pods:
        fleet.workloads.restart(pods[0].name)
    elif what == "kill a pod" and pods:
        fleet.workloads.kill(pods[-1].name)
    elif what == "wait":
        fleet.pass_time(30)


def interleaved(story: Story, choose, *, most: int = 3, twice: bool = True) -> list[str]:
    """Tell a story with up to `most` deliveries at a time; return what differs in the end."""
    fleet = story.start()
    while (first := fleet.next(story)) is not None:
        at_once = [first]
        while fleet.queue and len(at_once) < most:
            at_once.append(fleet.queue.popleft())
        if twice and len(at_once) < most:
            again = matrix.copy_of(first)
            again.message += "-again"
            at_once.append(again)
        Together(fleet, at_once, choose).run()
    ended, said = facts.facts(fleet, story.alike), facts.said(fleet, story.alike)
    told = _undisturbed(story.name)
    return matrix.differences(told.facts, ended) + matrix.unsaid(
        told.said, said, overtake=False, often=story.in_turn
    )


@functools.cache
def _undisturbed(name):
    return matrix.undisturbed(stories.BY_NAME[name])


def drawn_order(seed):
    """What happened, in which order it is told, and what happens in between, drawn by a seed."""
    chance = random.Random(seed)
    names = {*ALWAYS, *(name for name in SOMETIMES if chance.random() < 0.5)}
    names |= {"sign up again"} if "close" in names else set()
    order = [chance.randrange(64) for _ in range(chance.randrange(40))]
    between = {
        place: chance.choice(DISTURBANCES) for place in range(len(order)) if chance.random() < 0.15
    }
    return frozenset(names), order, between


def permutation(seed) -> list[str]:
    with fast():
        return [f"permutation {seed}: {line}" for line in _try(permuted, *drawn_order(seed))]


def interleaving(job) -> list[str]:
    name, seed = job
    with fast():
        found = _try(interleaved, stories.BY_NAME[name], random.Random(seed).randrange)
        return [f"interleaving {seed} of {name}: {line}" for line in found]


def _try(what, *given) -> list[str]:
    try:
        return what(*given)
    except Exception as error:  # noqa: BLE001 - told as what it is
        return [f"{type(error).__name__}: {str(error)[:400]}"]


def everything(pool, number, seed):
    """Try `number` permutations and as many interleavings; return counts by property, and what differs."""
    jobs = [(INTERLEAVED[n % len(INTERLEAVED)], f"{seed}/{n}") for n in range(number)]
    tries = {
        "events in any order, any of them repeated": pool.map(
            permutation, [f"{seed}/{n}" for n in range(number)], chunksize=20
        ),
        "up to three deliveries interleaved call by call": pool.map(
            interleaving, jobs, chunksize=20
        ),
    }
    counts, wrong = {}, []
    for name, results in tries.items():
        ended = list(results)
        counts[name] = (len(ended), sum(not found for found in ended))
        wrong += [line for found in ended for line in found[:3]]
    return counts, wrong
