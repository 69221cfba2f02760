"""One Delta table of one model, and all that makes filing into it exact, durable and quick."""
