"""Use cases of a World that are made of many parts, wired as bootstrap.py wires them."""

from typing import NamedTuple

from berth.adapters import prometheus
from berth.app.admit_model import AdmitModel
from berth.app.admit_version import AdmitVersion
from berth.app.admit_wishes import AdmitWishes
from berth.app.claiming import Claiming
from berth.app.foretelling import Foretelling
from berth.app.judging import Judging
from berth.app.placing import Placing
from berth.app.promotion import Promotion
from berth.app.status import Status
from berth.app.verdicts import Verdicts
from berth.domain.foretold_steps import Rates
from berth.domain.prices import Prices
from berth.ports import ObjectStore
from infra.functions import ROOT

PRICES = Prices.decode((ROOT / "shared/berth/prices.json").read_text())


class Stores(NamedTuple):
    """The buckets, as one identity may use them."""

    uploads: ObjectStore
    models: ObjectStore
    control: ObjectStore


def admit_model(stores: Stores, probe, outbox, clock) -> AdmitModel:
    """admit_model with the rights of an identity."""
    uploads, models, control = stores
    verdicts = Verdicts(uploads)
    judging = Judging(
        uploads_bucket="uploads",
        control=control,
        outbox=outbox,
        probe=probe,
        promotion=Promotion("uploads", models),
        claiming=Claiming(control, outbox, clock),
        placing=Placing(control, outbox),
        verdicts=verdicts,
        clock=clock,
    )
    versions = AdmitVersion(uploads, control, outbox, judging, verdicts, clock)
    wishes = AdmitWishes(uploads, control, outbox, verdicts, clock)
    return AdmitModel(versions, wishes, verdicts, clock)


def status(control, clock, first) -> Status:
    """The status function, which counts with the real prices."""
    rates = Rates(PRICES, "e2-highmem-4", disk_gib=50)
    foretelling = Foretelling(control, clock, first, rates)
    return Status(control, prometheus.render, clock, foretelling, foretelling.fleet)
