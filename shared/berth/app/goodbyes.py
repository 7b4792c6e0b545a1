"""Goodbyes: closed accounts are erased, once, by a decision in the account's own document.

Part of the fleet's hourly sweep. Whoever signs up before the decision gets everything back, whoever
comes after it begins anew; model documents and bytes follow (app/collecting.py).
"""

from dataclasses import dataclass

import structlog

from berth.app import control
from berth.app.leasing import HeldLease
from berth.domain import accounts, documents, garbage
from berth.domain.documents import Admission, Customer, Policy
from berth.domain.errors import Damaged
from berth.ports import Clock, ObjectStore

# What is left of the tick's lease when the sweep's collecting ends: the inbox has its turn then.
KEEP_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Goodbyes:
    """Reads and writes accounts, and empties those that are erased."""

    control: ObjectStore
    clock: Clock

    def closed(self, policy: Policy) -> dict[str, tuple[Customer, Customer]]:
        """Return the closed accounts of which something is left, as they are, and as they are once an
        erasure that is due is decided: one listing, and a read of each.
        """
        found = {}
        for stat in self.control.list(documents.CUSTOMERS):
            if stat.metadata.get("left") == "":
                continue
            try:
                account = control.read(self.control, stat.name, Customer).document
            except Damaged as error:
                log.error("damaged document", reason=f"{stat.name}: {error}")
                continue
            if account is not None and accounts.left(account):
                found[account.customer] = (account, self._erased(account, policy))
        return found

    def decide(self, customer: str, policy: Policy) -> None:
        """Decide an erasure, unless the customer signed up again meanwhile."""
        control.change(
            self.control,
            documents.customer_name(customer),
            Customer,
            lambda known: None if known is None else self._erased(known, policy),
        )

    def empty(self, held: HeldLease, customer: str, share: int) -> int:
        """Delete an erased account's ledger, and its admissions but of numbers that are used for ever;
        return what is left of a share of so many deletions. What is being judged is waited for.
        """
        if not self._erasing(customer):
            return share
        judged = self.control.list(documents.admissions_prefix(customer))
        open_ = [stat.name for stat in judged if not stat.metadata.get("used")]
        notes = [stat.name for stat in self.control.list(documents.waiting_prefix(customer))]
        done = 0
        for name in held.while_left((*open_, *notes)[:share], keep=KEEP_SECONDS):
            if name in notes:
                self.control.delete(name)
            elif not self._forget(name):
                break
            done += 1
        if done < len(open_) + len(notes):
            return share - done
        if self._erasing(customer):
            self.control.delete(documents.ledger_name(customer))
            control.change(
                self.control, documents.customer_name(customer), Customer, accounts.emptied
            )
        return share - done

    def _forget(self, name: str) -> bool:
        """Burn a number whose promotion began, and delete any other admission; False while it is judged."""
        known = control.change(self.control, name, Admission, self._burnt).document
        if known is not None and not known.lease.free(self.clock.now()):
            return False
        if known is not None and not known.promoting:
            self.control.delete(name)
        return True

    def _burnt(self, known: Admission | None) -> Admission | None:
        now = self.clock.now()
        if known is None or not known.promoting or not known.lease.free(now):
            return None
        return garbage.burnt(known, now)

    def _erasing(self, customer: str) -> bool:
        """Whether the erasure is decided, and the customer did not sign up again."""
        path = documents.customer_name(customer)
        account = control.read(self.control, path, Customer).document
        return account is not None and accounts.leaving(account) and accounts.left(account)

    def _erased(self, known: Customer, policy: Policy) -> Customer:
        now = self.clock.now()
        return accounts.erased(known, grace_seconds=policy.grace_seconds, now=now)
