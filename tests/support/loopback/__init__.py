"""The services of docker-compose.yml as plain processes on loopback, without a container engine.

``python -m tests.support.loopback`` runs them until Ctrl-C. The compose file stays the only
description of the deployment: commands, environment, secrets, order and health checks are read from
it, and what an engine would give (names, ports, volumes) becomes loopback ports and folders of a
state folder.
Users, limits and read-only roots are the engine's; here they are not.
"""
