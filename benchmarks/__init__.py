"""What a life costs: ``vclab bench`` measures, ``docs/performance.md`` tells what limits each figure. Never a test."""
