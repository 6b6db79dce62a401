"""What happens, in which order, and how long each wait may last. Deterministic; the sandbox is on."""
