"""The Model Context Protocol as pure functions over (method, headers, body).

Written by hand: a stateless endpoint with tools needs a few hundred lines, and the SDK's server costs over a
second of start-up. tests/ drive it with the official client.
"""
