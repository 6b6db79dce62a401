"""The one part of the library that knows Temporal: the client, its helpers and the schedules."""
