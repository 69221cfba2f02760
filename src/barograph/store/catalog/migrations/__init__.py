"""How the tables of the catalog came to be, one file a step."""
