"""uvicorn's protocol: what happens before a request reaches the application."""
