"""How people sign in: tokens, providers, pages, programs that wait."""
