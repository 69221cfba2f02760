"""The routes, one file a noun."""

from barograph.server.routes import (
    audit,
    changes,
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
    results,
    silences,
)

ROUTERS = tuple(
    module.router
    for module in (
        models,
        references,
        results,
        profiles,
        incidents,
        silences,
        changes,
        producers,
        probes,
        quarantine,
        poison,
        jobs,
        keys,
        audit,
        health,
    )
)
