"""Takes the tables of all scans and the participants table, gives the cohort table and everyone who is left out.

Which rules make these tables depends on what there is: scans that are measured, or a table of volumes.
"""


include: "assemble.smk" if TABLES is None else "tables.smk"
