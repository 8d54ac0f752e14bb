"""A project written for simplejwt 5.5.1, which knows of nothing else."""
