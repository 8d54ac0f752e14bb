"""What a move from djangorestframework-simplejwt takes: its settings, the code, the tokens."""
