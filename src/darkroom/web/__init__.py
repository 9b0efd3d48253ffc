"""The pages people see: rendered here, better with scripts, complete without. Nothing comes from another host."""
