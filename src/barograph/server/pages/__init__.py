"""The pages: what the catalog says, brought to `dashboard`, and what people do there."""
