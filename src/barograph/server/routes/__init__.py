"""The routes, one file a noun."""

from barograph.server.routes import (
    audit,
    changes,
    deliveries,
    health,
    incidents,
    jobs,
    keys,
    models,
    poison,
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
        quarantine,
        poison,
        deliveries,
        jobs,
        keys,
        audit,
        health,
    )
)
