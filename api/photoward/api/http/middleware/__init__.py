"""What stands around every request, as plain ASGI."""
