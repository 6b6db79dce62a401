"""References -> values. A secret is put here before it is set anywhere, and read again on retry."""
