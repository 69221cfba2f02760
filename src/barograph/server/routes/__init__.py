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
    profiles,
    quarantine,
    references,
    removals,
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
        quarantine,
        poison,
        jobs,
        removals,
        keys,
        audit,
        health,
    )
)
