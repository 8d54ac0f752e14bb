"""An app in the place of simplejwt's: its label, its tables, what tests need of its models."""
