"""Whether scans can be trusted, what people decide about them, and what that does to effects."""
