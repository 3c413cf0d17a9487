"""The load generator of `polyseme bench`: schedules, loops, processes, results."""
