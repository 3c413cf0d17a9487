"""The load generator behind `polyseme bench`: arrivals, loops, processes, and what they saw."""
