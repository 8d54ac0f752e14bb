"""An app with the label and the tables of simplejwt's blacklist app."""
