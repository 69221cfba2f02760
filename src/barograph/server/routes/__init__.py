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
    projects,
    quarantine,
    references,
    removals,
    report,
    results,
    silences,
    users,
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
        probes,
        quarantine,
        poison,
        deliveries,
        jobs,
        removals,
        projects,
        users,
        keys,
        audit,
        health,
    )
)
