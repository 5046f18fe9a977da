"""The HTTP door: routes, the one error shape, the description of the API."""
