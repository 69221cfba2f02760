"""Where the service keeps things: the spool, the tables of events and labels, the catalog."""
