"""The routes, one file a noun."""

from barograph.server.routes import (
    audit,
    changes,
    deliveries,
    events,
    handling,
    health,
    incidents,
    jobs,
    keys,
    labels,
    models,
    poison,
    probes,
    producers,
    profiles,
    quarantine,
    references,
    removals,
    replay,
    report,
    results,
    silences,
)

ROUTERS = tuple(
    module.router
    for module in (
        models,
        references,
        results,
        labels,
        report,
        replay,
        profiles,
        events,
        incidents,
        handling,
        silences,
        changes,
        producers,
        probes,
        quarantine,
        poison,
        deliveries,
        jobs,
        removals,
        keys,
        audit,
        health,
    )
)
