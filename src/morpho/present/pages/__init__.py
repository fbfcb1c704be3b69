"""The pages of the report: one module per kind of page, each turns the content into what a template shows."""
