"""Loop: a step, a wait, a clean stop."""
