"""How people sign in: pages for browsers, identity providers, and programs that wait to be let in."""
