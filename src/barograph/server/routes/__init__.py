"""The routes, one file a noun."""

from barograph.server.routes import (
    audit,
    changes,
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
        jobs,
        removals,
        keys,
        audit,
        health,
    )
)
