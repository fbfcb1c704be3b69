"""One scan -> its volumes and their quality."""
