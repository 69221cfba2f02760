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
    models,
    poison,
    probes,
    producers,
    profiles,
    quarantine,
    references,
    removals,
    report,
    results,
    silences,
    sources,
)

ROUTERS = tuple(
    module.router
    for module in (
        models,
        references,
        results,
        report,
        profiles,
        events,
        incidents,
        handling,
        silences,
        changes,
        producers,
        sources,
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
